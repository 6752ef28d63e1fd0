use hyper::Method;

use crate::support::TestServer;

#[tokio::test]
async fn a_name_that_is_not_this_machine_is_refused_before_anything_is_read() {
    let server = TestServer::start().await;
    let answer = server.send(Method::POST, "/api/events", &[("host", "evil.example")], "not json").await;
    assert_eq!(answer.refusal(403), "forbidden");
    let answer = server.send(Method::GET, "/nowhere", &[("host", "evil.example:2870")], "").await;
    assert_eq!(answer.refusal(403), "forbidden");
}

#[tokio::test]
async fn a_page_of_another_site_is_refused() {
    let server = TestServer::start().await;
    for origin in ["https://evil.example", "null", "http://localhost:1"] {
        let answer = server.send(Method::GET, "/api/subscriptions", &[("origin", origin)], "").await;
        assert_eq!(answer.refusal(403), "forbidden", "{origin}");
    }
}

#[tokio::test]
async fn a_page_of_this_server_and_a_program_without_origin_are_let_in() {
    let server = TestServer::start().await;
    let own = format!("http://{}", server.address);
    server.send(Method::GET, "/healthz", &[("origin", &own)], "").await.expect(200);
    server.get("/healthz").await.expect(200);
    let by_name = format!("localhost:{}", server.address.port());
    server.send(Method::GET, "/healthz", &[("host", &by_name)], "").await.expect(200);
}
