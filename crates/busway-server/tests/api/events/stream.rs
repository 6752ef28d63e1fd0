use std::time::Duration;

use busway_core::{LaneId, Timestamp};
use http_body_util::BodyExt;
use hyper::{Method, body::Incoming};
use serde_json::{Value, json};

use crate::support::TestServer;

const PATIENCE: Duration = Duration::from_secs(20);

/// Reads server-sent events from an answer's body.
struct Reader {
    body: Incoming,
    text: String,
}

/// One block of a stream: its `id`, `event` and `data`, or a comment.
#[derive(Debug, Default, PartialEq)]
struct Block {
    id: Option<String>,
    event: Option<String>,
    data: Option<String>,
    comment: bool,
}

impl Reader {
    async fn open(server: &TestServer, path: &str, headers: &[(&str, &str)]) -> Self {
        let response = server.open(Method::GET, path, headers, "").await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { body: response.into_body(), text: String::new() }
    }

    /// The next block; `None` at the end.
    async fn block(&mut self) -> Option<Block> {
        while !self.text.contains("\n\n") {
            let frame = tokio::time::timeout(PATIENCE, self.body.frame()).await.unwrap()?.unwrap();
            self.text.push_str(std::str::from_utf8(&frame.into_data().unwrap()).unwrap());
        }
        let (block, rest) =
            self.text.split_once("\n\n").map(|(block, rest)| (block.to_owned(), rest.to_owned())).unwrap();
        self.text = rest;
        let mut read = Block::default();
        for line in block.lines() {
            match line.split_once(':').map(|(name, value)| (name, value.trim_start().to_owned())).unwrap() {
                ("id", value) => read.id = Some(value),
                ("event", value) => read.event = Some(value),
                ("data", value) => read.data = Some(value),
                ("retry", value) => assert_eq!(value, "2000"),
                ("", _) => read.comment = true,
                (other, _) => panic!("{other}"),
            }
        }
        Some(read)
    }

    /// The next event: its position, type and JSON.
    async fn event(&mut self) -> (String, String, Value) {
        loop {
            if let Block { id, event: Some(event), data: Some(data), .. } = self.block().await.unwrap() {
                return (id.unwrap_or_default(), event, serde_json::from_str(&data).unwrap());
            }
        }
    }
}

#[tokio::test]
async fn a_stream_begins_now_and_gives_what_is_stored_from_then_on() {
    let server = TestServer::start().await;
    server.publish(json!({ "type": "before" })).await;
    let mut stream = Reader::open(&server, "/api/events/stream", &[]).await;
    let ids = server.publish(json!({ "type": "ticket.created", "tenantId": "acme", "payload": { "id": 1 } })).await;
    let (_, event_type, event) = stream.event().await;
    assert_eq!(event_type, "ticket.created");
    assert_eq!(event["id"], ids[0]);
    assert_eq!(event["payload"], json!({ "id": 1 }));
    assert_eq!(event["tenantId"], "acme");
}

#[tokio::test]
async fn a_stream_gives_the_types_and_the_tenant_it_was_asked_for() {
    let server = TestServer::start().await;
    let mut stream =
        Reader::open(&server, "/api/events/stream?type=ticket.*&type=!ticket.viewed&tenant=acme", &[]).await;
    server
        .publish(json!([
            { "type": "shift.created", "tenantId": "acme" },
            { "type": "ticket.created", "tenantId": "hill" },
            { "type": "ticket.viewed", "tenantId": "acme" },
            { "type": "ticket.closed", "tenantId": "acme" },
        ]))
        .await;
    assert_eq!(stream.event().await.1, "ticket.closed");
}

#[tokio::test]
async fn whoever_comes_again_misses_nothing() {
    let server = TestServer::start().await;
    let mut stream = Reader::open(&server, "/api/events/stream", &[]).await;
    server.publish(json!([{ "type": "a", "key": "k" }, { "type": "b", "key": "k" }])).await;
    let (position, first, _) = stream.event().await;
    assert_eq!(first, "a");
    drop(stream);
    server.publish(json!({ "type": "c", "key": "k" })).await;
    let mut by_address = Reader::open(&server, &format!("/api/events/stream?since={position}"), &[]).await;
    assert_eq!(by_address.event().await.1, "b");
    assert_eq!(by_address.event().await.1, "c");
    let headers = [("last-event-id", &*position)];
    let mut by_header = Reader::open(&server, "/api/events/stream?since=0.0.0.0.0", &headers).await;
    assert_eq!(by_header.event().await.1, "b");
}

#[tokio::test]
async fn whoever_is_cut_off_before_the_first_event_misses_none() {
    let server = TestServer::start().await;
    let mut stream = Reader::open(&server, "/api/events/stream", &[]).await;
    let start = stream.block().await.unwrap();
    assert_eq!((start.event, start.data), (None, None));
    drop(stream);
    server.publish(json!({ "type": "meanwhile" })).await;
    let headers = [("last-event-id", &*start.id.unwrap())];
    let mut again = Reader::open(&server, "/api/events/stream", &headers).await;
    assert_eq!(again.event().await.1, "meanwhile");
}

#[tokio::test]
async fn a_payload_of_several_lines_is_one_line_of_data() {
    let server = TestServer::start().await;
    let mut stream = Reader::open(&server, "/api/events/stream", &[]).await;
    server.post("/api/events", "{\"type\":\"a\",\"payload\":{\r\n \"text\" : \"1\\n2\"\r}}").await.expect(201);
    assert_eq!(stream.event().await.2["payload"], json!({ "text": "1\n2" }));
}

#[tokio::test]
async fn a_comment_comes_every_fifteen_seconds() {
    let (server, clock) = TestServer::held().await;
    let mut stream = Reader::open(&server, "/api/events/stream", &[]).await;
    assert!(stream.block().await.unwrap().id.is_some());
    for _ in 0..2 {
        clock.advance(Duration::from_secs(15));
        assert_eq!(stream.block().await.unwrap(), Block { comment: true, ..Block::default() });
    }
}

#[tokio::test]
async fn a_position_of_another_log_is_lost_and_one_that_is_none_cannot_be_read() {
    let server = TestServer::start().await;
    let answer = server.get("/api/events/stream?since=1234.0.0.0.0").await;
    assert_eq!(answer.refusal(410), "position_lost");
    let answer = server.get("/api/events/stream?since=what").await;
    assert_eq!(answer.refusal(400), "bad_request");
    let headers = [("last-event-id", "what")];
    assert_eq!(server.send(Method::GET, "/api/events/stream", &headers, "").await.refusal(400), "bad_request");
}

#[tokio::test]
async fn a_reader_that_falls_behind_gets_everything_in_order_per_key() {
    let server = TestServer::start().await;
    let mut stream = Reader::open(&server, "/api/events/stream", &[]).await;
    for batch in 0..5 {
        let events: Vec<Value> =
            (0..1_000).map(|n| json!({ "type": "a", "key": "k", "payload": { "n": batch * 1_000 + n } })).collect();
        server.publish(events.into()).await;
    }
    for n in 0..5_000 {
        assert_eq!(stream.event().await.2["payload"]["n"], n);
    }
}

#[tokio::test]
async fn a_reader_whose_next_event_was_removed_is_told_in_the_stream() {
    let server = TestServer::start().await;
    let mut stream = Reader::open(&server, "/api/events/stream", &[]).await;
    // More than the sockets and every buffer on the way can hold while nobody reads.
    let large = json!({ "type": "a", "key": "k", "payload": { "text": "x".repeat(200 << 10) } });
    for _ in 0..10 {
        server.publish(vec![large.clone(); 30].into()).await;
    }
    let log = &server.engine.stores().log;
    let heads = log.heads().await.unwrap();
    for (lane, head) in (0..).map(LaneId).zip(heads.seqs) {
        log.prune(lane, head, Timestamp::MAX).await.unwrap();
    }
    let mut events = 0;
    let lost = loop {
        let block = stream.block().await.unwrap();
        match block.event.as_deref() {
            Some("a") => events += 1,
            Some(_) => break block,
            None => {}
        }
    };
    assert!(events < 300);
    assert_eq!(lost.event.as_deref(), Some("position_lost"));
    let problem: Value = serde_json::from_str(&lost.data.unwrap()).unwrap();
    assert_eq!((&problem["status"], &problem["code"]), (&json!(410), &json!("position_lost")));
    assert_eq!(stream.block().await, None);
}
