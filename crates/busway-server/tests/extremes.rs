//! What is in form and yet at the edge of what a number, a time or a text can say: taken or refused, never a
//! failure of the server.

use serde_json::json;

use crate::support::TestServer;

const MOST: u64 = u64::MAX;

#[tokio::test]
async fn extreme_definitions_work() {
    let server = TestServer::start().await;
    let many: Vec<String> = (0..5_000).map(|n| format!("a{n}.*")).collect();
    for (name, body) in [
        ("long", json!({ "types": ["*"], "ackTimeoutMs": MOST, "concurrency": u32::MAX, "expireAfterMs": MOST })),
        ("patient", json!({ "types": ["*"], "retry": { "attempts": u32::MAX, "delayMs": MOST, "maxDelayMs": MOST } })),
        (
            "hasty",
            json!({ "types": ["*"], "ackTimeoutMs": 1, "retry": { "delayMs": 0, "maxDelayMs": 0, "jitter": 1 } }),
        ),
        ("ancient", json!({ "types": ["*"], "start": "0000-01-01T00:00:00Z" })),
        ("future", json!({ "types": ["*"], "start": "9999-12-31T23:59:59.999Z" })),
        ("wide", json!({ "types": many })),
    ] {
        server.put(&format!("/api/subscriptions/{name}"), body).await.expect(201);
    }
    server.publish(json!({ "type": "a1.b", "time": "0000-01-01T00:00:00Z" })).await;
    for name in ["long", "patient", "ancient", "wide"] {
        let delivery = server.pull(name, 1_000).await.remove(0);
        let retry =
            json!({ "retry": [{ "id": delivery["deliveryId"], "delayMs": MOST, "error": "e".repeat(1 << 20) }] });
        assert_eq!(server.settle(name, retry).await, ["settled"], "{name}");
        server.get(&format!("/api/subscriptions/{name}")).await.expect(200);
    }
    server.get("/api/subscriptions").await.expect(200);
}

#[tokio::test]
async fn a_lease_may_be_extended_for_ever() {
    let server = TestServer::start().await;
    server.subscribe("crm", &["*"]).await;
    server.publish(json!({ "type": "a" })).await;
    let id = server.pull("crm", 1).await.remove(0)["deliveryId"].clone();
    assert_eq!(server.settle("crm", json!({ "extend": [{ "id": id, "ms": MOST }] })).await, ["settled"]);
    assert_eq!(server.settle("crm", json!({ "ack": [id] })).await, ["settled"]);
}

#[tokio::test]
async fn delivery_ids_that_were_made_up_are_stale() {
    let server = TestServer::start().await;
    server.subscribe("crm", &["*"]).await;
    server.publish(json!({ "type": "a" })).await;
    let id = server.pull("crm", 1).await.remove(0)["deliveryId"].as_str().unwrap().to_owned();
    let most = "f".repeat(32);
    let mut made_up = vec![format!("{id}0"), format!("{id}-0"), format!("-{id}"), id.replace('-', "."), most.clone()];
    made_up.push(format!("ffff-{0}-{0}-{most}", &most[..16]));
    made_up.push(format!("0-{0}-{0}-{most}", &most[..16]));
    made_up.push("\u{1F600}-\0-\n".into());
    let results = server.settle("crm", json!({ "ack": made_up })).await;
    assert!(results.iter().all(|status| status == "stale"), "{results:?}");
    assert_eq!(server.settle("crm", json!({ "ack": [id] })).await, ["settled"]);
}

#[tokio::test]
async fn no_query_at_the_edge_fails_the_server() {
    let server = TestServer::start().await;
    server.subscribe("crm", &["*"]).await;
    server.publish(json!([{ "type": "a", "payload": { "": { "~/": null } } }, { "type": "b" }, { "type": "c" }])).await;
    let next = server.get("/api/events?limit=1").await.expect(200)["next"].as_str().unwrap().to_owned();
    let deep = format!(r#"{{"type":"a","payload":{{"a":{}{}}}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    server.post("/api/events", deep).await.expect(201);
    let long = "x".repeat(4_000);
    for path in [
        "/api/events?after=9999-12-31T23:59:59.999Z",
        "/api/events?before=0000-01-01T00:00:00Z",
        "/api/events?after=2030-01-01T00:00:00Z&before=2020-01-01T00:00:00Z",
        "/api/events?find=%2F%2F~1~0%3Dnull",
        "/api/events?find=%2Fa%2F0%3D",
        "/api/events?find=%2F",
        "/api/events?find=%3D",
        "/api/events?find=%00%ff",
        "/api/events?find=ffffffff-ffff-ffff-ffff-ffffffffffff",
        &format!("/api/events?find={long}"),
        &format!("/api/events?key={long}&correlationId={long}"),
        &format!("/api/events?cursor={next}0"),
        &format!("/api/events?cursor={next}&order=desc"),
        &format!("/api/events?cursor={}", &next[..next.len() - 1]),
        "/api/events?cursor=%00",
        &format!("/api/events?cursor={long}"),
        "/api/events/ffffffff-ffff-ffff-ffff-ffffffffffff",
        "/api/events/0000",
        "/api/events/%00",
        &format!("/api/events/{long}"),
        "/api/events/stream?since=0.ffffffffffffffff",
        "/api/events/stream?since=ffffffffffffffff.0.0.0.0",
        &format!("/api/events/stream?since=0{}", ".0".repeat(2_000)),
        "/api/subscriptions?cursor=%2F",
        "/api/subscriptions?cursor=zzz%2Fzzz",
        &format!("/api/subscriptions/{long}"),
        "/api/dead-letters?cursor=18446744073709551615",
        "/api/dead-letters/18446744073709551615",
        "/api/dead-letters/18446744073709551616",
        "/api/operations/ffffffff-ffff-ffff-ffff-ffffffffffff",
    ] {
        let answer = server.get(path).await;
        assert!(answer.status < 500, "{path}: {} {}", answer.status, answer.text);
    }
    for (call, body) in [
        ("seek", json!({ "to": "9999-12-31T23:59:59.999Z" })),
        ("seek", json!({ "to": "0000-01-01T00:00:00Z" })),
        ("replay", json!({ "from": "latest", "to": "earliest" })),
        ("replay", json!({ "from": "9999-12-31T23:59:59.999Z", "to": "0000-01-01T00:00:00Z" })),
    ] {
        let answer = server.post(&format!("/api/subscriptions/crm/{call}"), &body).await;
        assert!(answer.status < 500, "{call} {body}: {} {}", answer.status, answer.text);
    }
    server.get("/readyz").await.expect(200);
}
