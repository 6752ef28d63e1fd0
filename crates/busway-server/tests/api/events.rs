mod stream;

use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};

use crate::support::{Answer, TestServer};

const FIRST: &str = "019a2c44-0000-7000-8000-000000000001";
const SECOND: &str = "019a2c44-0000-7000-8000-000000000002";

fn ids(answer: &Answer) -> Vec<String> {
    let items = answer.expect(200)["items"].as_array().unwrap().clone();
    items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

fn types(answer: &Answer) -> Vec<String> {
    let items = answer.expect(200)["items"].as_array().unwrap().clone();
    items.iter().map(|item| item["type"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn one_event_is_stored_and_shown_with_what_was_filled_in() {
    let (server, _clock) = TestServer::held().await;
    let answer = server.post("/api/events", json!({ "id": FIRST, "type": "ticket.created" })).await;
    answer.expect(201);
    insta::assert_snapshot!(answer.text, @r#"{"events":[{"id":"019a2c44-0000-7000-8000-000000000001","duplicate":false}]}"#);
    insta::assert_snapshot!(
        server.get(&format!("/api/events/{FIRST}")).await.text,
        @r#"{"event":{"id":"019a2c44-0000-7000-8000-000000000001","type":"ticket.created","tenantId":"default","time":"2026-01-31T12:00:00.000Z","storedAt":"2026-01-31T12:00:00.000Z","payload":{},"metadata":{}},"deliveries":[],"causedBy":null,"caused":[],"jobs":[]}"#
    );
}

#[tokio::test]
async fn a_batch_is_answered_in_the_order_sent_duplicates_among_it() {
    let server = TestServer::start().await;
    let batch = json!([{ "id": SECOND, "type": "a" }, { "id": FIRST, "type": "a" }, { "id": SECOND, "type": "a" }]);
    let answer = server.post("/api/events", &batch).await;
    insta::assert_snapshot!(answer.text, @r#"{"events":[{"id":"019a2c44-0000-7000-8000-000000000002","duplicate":false},{"id":"019a2c44-0000-7000-8000-000000000001","duplicate":false},{"id":"019a2c44-0000-7000-8000-000000000002","duplicate":true}]}"#);
    let again = server.post("/api/events", &batch).await;
    assert!(again.expect(201)["events"].as_array().unwrap().iter().all(|event| event["duplicate"] == true));
    assert_eq!(ids(&server.get("/api/events").await).len(), 2);
}

#[tokio::test]
async fn a_thousand_events_are_one_batch() {
    let server = TestServer::start().await;
    let batch: Vec<Value> = (0..1_000).map(|n| json!({ "type": "a", "payload": { "n": n } })).collect();
    assert_eq!(server.publish(batch.into()).await.len(), 1_000);
    assert_eq!(ids(&server.get("/api/events?limit=1000").await).len(), 1_000);
}

#[tokio::test]
async fn a_payload_comes_back_byte_for_byte() {
    let server = TestServer::start().await;
    let payload = "{ \"z\" : 1.0,\t\"a\":1e400, \"a\":[ ],\n\"\\ud800\":\"\\u00e9é😀\", \"n\":-0, \"big\":12345678901234567890123 }";
    let body = format!(r#" [ {{"type":"a","id":"{FIRST}","payload":{payload}}} ] "#);
    server.post("/api/events", body).await.expect(201);
    server.subscribe("crm", &["*"]).await;
    let kept = format!("\"payload\":{payload},");
    for answer in [
        server.get("/api/events").await,
        server.get(&format!("/api/events/{FIRST}")).await,
        server.post("/api/subscriptions/crm/pull", json!({ "waitMs": 10_000 })).await,
    ] {
        assert_eq!(answer.status, 200);
        assert!(answer.text.contains(&kept), "{}", answer.text);
    }
}

#[tokio::test]
async fn a_repeated_call_with_an_idempotency_key_stores_nothing_more() {
    let server = TestServer::start().await;
    let headers = [("content-type", "application/json"), ("idempotency-key", "order-17")];
    let body = r#"[{"type":"a"},{"type":"a"},{"type":"a","tenantId":"acme"}]"#;
    let first = server.send(Method::POST, "/api/events", &headers, body).await.expect(201);
    let second = server.send(Method::POST, "/api/events", &headers, body).await.expect(201);
    for index in 0..3 {
        assert_eq!(first["events"][index]["id"], second["events"][index]["id"]);
        assert_eq!(second["events"][index]["duplicate"], true);
    }
    assert_eq!(ids(&server.get("/api/events").await).len(), 3);
}

#[tokio::test]
async fn explain_names_who_will_get_the_event_and_warns_where_nobody_listens() {
    let server = TestServer::start().await;
    server.subscribe("crm", &["ticket.*"]).await;
    let batch = json!([{ "id": FIRST, "type": "ticket.created" }, { "id": SECOND, "type": "shift.created" }]);
    let answer = server.post("/api/events?explain=true", batch).await.expect(201);
    assert_eq!(answer["events"][0]["subscriptions"], json!(["crm"]));
    assert_eq!(answer["events"][1]["subscriptions"], json!([]));
    assert_eq!(answer["events"][1]["warnings"].as_array().unwrap().len(), 1);
    let plain = server.post("/api/events", json!({ "type": "ticket.created" })).await.expect(201);
    assert_eq!(plain["events"][0].get("subscriptions"), None);
}

#[tokio::test]
async fn a_call_for_one_tenant_makes_its_events_that_tenants() {
    let server = TestServer::start().await;
    server.post("/api/events?tenant=acme", json!({ "type": "a" })).await.expect(201);
    let found = server.get("/api/events?tenant=acme").await.expect(200);
    assert_eq!(found["items"][0]["tenantId"], "acme");
    assert_eq!(ids(&server.get("/api/events?tenant=hill").await).len(), 0);
}

#[tokio::test]
async fn events_are_found_by_type_key_correlation_and_what_stands_in_them() {
    let server = TestServer::start().await;
    server
        .publish(json!([
            { "id": FIRST, "type": "ticket.created", "key": "t-1", "payload": { "subject": { "name": "Fire" } } },
            { "id": SECOND, "type": "ticket.status.changed", "key": "t-2", "metadata": { "correlationId": "c-9" } },
            { "type": "shift.created", "tenantId": "acme" },
        ]))
        .await;
    for (query, found) in [
        ("type=ticket.*", vec!["ticket.created", "ticket.status.changed"]),
        ("type=ticket.*&type=!ticket.created", vec!["ticket.status.changed"]),
        ("type=shift.created&type=ticket.created", vec!["shift.created", "ticket.created"]),
        ("key=t-1", vec!["ticket.created"]),
        ("correlationId=c-9", vec!["ticket.status.changed"]),
        ("find=c-9", vec!["ticket.status.changed"]),
        ("find=t-1", vec!["ticket.created"]),
        ("find=019a2c44-0000-7000-8000-000000000002", vec!["ticket.status.changed"]),
        ("find=%2Fsubject%2Fname%3DFire", vec!["ticket.created"]),
        ("find=nothing-like-it", vec![]),
        ("tenant=acme", vec!["shift.created"]),
    ] {
        let mut types = types(&server.get(&format!("/api/events?{query}")).await);
        types.sort();
        assert_eq!(types, found, "{query}");
    }
}

#[tokio::test]
async fn events_are_found_by_when_they_were_stored_in_that_order() {
    let (server, clock) = TestServer::held().await;
    for event_type in ["a", "b", "c"] {
        server.publish(json!({ "type": event_type })).await;
        clock.advance(Duration::from_secs(60));
    }
    for (query, found) in [
        ("", vec!["a", "b", "c"]),
        ("?order=asc", vec!["a", "b", "c"]),
        ("?order=desc", vec!["c", "b", "a"]),
        ("?after=2026-01-31T12:01:00Z", vec!["b", "c"]),
        ("?before=2026-01-31T12:01:00Z", vec!["a"]),
        ("?after=2026-01-31T13:00:30%2B01:00&before=2026-01-31T12:01:00.001Z", vec!["b"]),
    ] {
        assert_eq!(types(&server.get(&format!("/api/events{query}")).await), found, "{query}");
    }
}

#[tokio::test]
async fn a_long_list_comes_page_by_page() {
    let server = TestServer::start().await;
    let batch: Vec<Value> = (0..25).map(|n| json!({ "type": "a", "key": n.to_string() })).collect();
    let mut sent = server.publish(batch.into()).await;
    for order in ["asc", "desc"] {
        let (mut seen, mut path) = (Vec::new(), format!("/api/events?order={order}&limit=10"));
        let mut sizes = Vec::new();
        loop {
            let answer = server.get(&path).await;
            let page = ids(&answer);
            sizes.push(page.len());
            seen.extend(page);
            match answer.expect(200)["next"].as_str() {
                Some(next) => path = format!("/api/events?order={order}&limit=10&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(sizes, [10, 10, 5]);
        seen.sort();
        sent.sort();
        assert_eq!(seen, sent);
    }
}

#[tokio::test]
async fn an_event_tells_what_became_of_it() {
    let server = TestServer::start().await;
    server.subscribe("crm", &["*"]).await;
    server.subscribe("chat", &["*"]).await;
    server.subscribe("other", &["shift.*"]).await;
    server.publish(json!({ "id": FIRST, "type": "a" })).await;
    let delivery = server.pull("crm", 1).await.remove(0);
    server.settle("crm", json!({ "dead": [{ "id": delivery["deliveryId"], "error": "404 no such room" }] })).await;
    let report = server.get(&format!("/api/events/{FIRST}")).await.expect(200);
    let deliveries = report["deliveries"].as_array().unwrap();
    let state =
        |name: &str| deliveries.iter().find(|delivery| delivery["subscription"] == name).map(|found| &found["state"]);
    assert_eq!(state("crm"), Some(&json!("dead")));
    assert_eq!(state("chat"), Some(&json!("waiting")));
    assert_eq!(state("other"), None);
    let crm = deliveries.iter().find(|delivery| delivery["subscription"] == "crm").unwrap();
    assert_eq!(crm["attempts"][0]["error"], "404 no such room");
}

#[tokio::test]
async fn causes_and_what_they_caused_are_named() {
    let server = TestServer::start().await;
    server.publish(json!({ "id": FIRST, "type": "a" })).await;
    server.publish(json!({ "id": SECOND, "type": "b", "metadata": { "causationId": FIRST } })).await;
    let cause = server.get(&format!("/api/events/{FIRST}")).await.expect(200);
    assert_eq!(cause["caused"][0]["id"], SECOND);
    let effect = server.get(&format!("/api/events/{SECOND}")).await.expect(200);
    assert_eq!(effect["causedBy"]["id"], FIRST);
}

#[tokio::test]
async fn a_unique_beginning_of_an_id_is_enough() {
    let server = TestServer::start().await;
    server
        .publish(json!([{ "id": FIRST, "type": "a" }, { "id": "11112222-0000-7000-8000-000000000001", "type": "b" }]))
        .await;
    let shown = server.get("/api/events/11112222").await.expect(200);
    assert_eq!(shown["event"]["type"], "b");
    assert_eq!(server.get("/api/events/33334444").await.refusal(404), "not_found");
    assert_eq!(server.get(&format!("/api/events/{FIRST}?tenant=acme")).await.refusal(404), "not_found");
}

#[tokio::test]
async fn a_full_store_says_so_and_keeps_nothing_of_the_batch() {
    let server = TestServer::that_keeps(3).await;
    server.publish(json!([{ "type": "a" }, { "type": "a" }])).await;
    let answer = server.post("/api/events", json!([{ "type": "b" }, { "type": "b" }])).await;
    assert_eq!(answer.refusal(507), "storage_full");
    assert_eq!(types(&server.get("/api/events").await), ["a", "a"]);
}
