use std::time::Duration;

use http_body_util::BodyExt;
use hyper::Method;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::TestServer;

const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_waiting_pull_answers_empty_and_a_stream_ends_at_once() {
    let server = TestServer::start().await;
    server.subscribe("crm", &["*"]).await;
    let address = server.address;
    let mut waiting = TcpStream::connect(address).await.unwrap();
    let body = json!({ "waitMs": 30_000 }).to_string();
    let head = format!(
        "POST /api/subscriptions/crm/pull HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    waiting.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    let mut stream = server.open(Method::GET, "/api/events/stream", &[], "").await.into_body();
    let first = stream.frame().await.unwrap().unwrap().into_data().unwrap();
    assert!(first.starts_with(b"retry: 2000\n"));

    let stopped = server.stop();
    assert!(stream.frame().await.is_none());
    let mut answer = String::new();
    tokio::time::timeout(PATIENCE, waiting.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.ends_with(r#"{"deliveries":[]}"#), "{answer}");
    tokio::time::timeout(PATIENCE, stopped).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_request_under_way_is_still_answered_and_no_new_one_taken() {
    let server = TestServer::start().await;
    let address = server.address;
    let mut slow = TcpStream::connect(address).await.unwrap();
    let body = r#"{"type":"ticket.created"}"#;
    let head = format!(
        "POST /api/events HTTP/1.1\r\nhost: {address}\r\nexpect: 100-continue\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    // The server asks for the body: from here on the request is under way.
    let mut go_on = [0; 25];
    slow.read_exact(&mut go_on).await.unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");

    let stopped = server.stop();
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    slow.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(PATIENCE, slow.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 Created\r\n"), "{answer}");
    tokio::time::timeout(PATIENCE, stopped).await.unwrap().unwrap();
}
