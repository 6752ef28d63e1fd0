use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};

use crate::support::TestServer;

#[tokio::test]
async fn a_delivery_has_what_is_needed_to_handle_and_settle_it() {
    let (server, _clock) = TestServer::held().await;
    server.subscribe("crm", &["*"]).await;
    let id = "019a2c44-0000-7000-8000-000000000001";
    server.publish(json!({ "id": id, "type": "ticket.created", "key": "t-1", "payload": { "id": 1 } })).await;
    let answer = server.post("/api/subscriptions/crm/pull", json!({})).await;
    let pulled = answer.expect(200);
    let delivery = &pulled["deliveries"][0];
    assert!(!delivery["deliveryId"].as_str().unwrap().is_empty());
    assert!(delivery["fence"].is_u64());
    assert_eq!(delivery["attempt"], 1);
    assert_eq!(delivery["leaseEndsAt"], "2026-01-31T12:00:30.000Z");
    assert_eq!(delivery["replay"], Value::Null);
    insta::assert_snapshot!(
        answer.text.split_once(r#""event":"#).unwrap().1,
        @r#"{"id":"019a2c44-0000-7000-8000-000000000001","type":"ticket.created","tenantId":"default","key":"t-1","time":"2026-01-31T12:00:00.000Z","storedAt":"2026-01-31T12:00:00.000Z","payload":{"id":1},"metadata":{}}}]}"#
    );
}

#[tokio::test]
async fn a_pull_without_a_body_takes_ten() {
    let server = TestServer::start().await;
    server.subscribe("crm", &["*"]).await;
    let batch: Vec<Value> = (0..12).map(|_| json!({ "type": "a" })).collect();
    server.publish(batch.into()).await;
    let pulled = server.send(hyper::Method::POST, "/api/subscriptions/crm/pull", &[], "").await.expect(200);
    assert_eq!(pulled["deliveries"].as_array().unwrap().len(), 10);
}

#[tokio::test]
async fn what_nobody_wants_is_not_handed_out() {
    let server = TestServer::start().await;
    server.subscribe("crm", &["ticket.*", "!ticket.viewed"]).await;
    server
        .publish(json!([{ "type": "shift.created" }, { "type": "ticket.viewed" }, { "type": "ticket.closed" }]))
        .await;
    let pulled = server.pull("crm", 10).await;
    assert_eq!(pulled.len(), 1);
    assert_eq!(pulled[0]["event"]["type"], "ticket.closed");
}

#[tokio::test]
async fn several_events_of_a_key_come_in_order() {
    let server = TestServer::start().await;
    server.subscribe("crm", &["*"]).await;
    let batch: Vec<Value> = (0..20).map(|n| json!({ "type": "a", "key": "k", "payload": { "n": n } })).collect();
    server.publish(batch.into()).await;
    let mut seen = 0;
    while seen < 20 {
        let pulled = server.pull("crm", 7).await;
        for delivery in &pulled {
            assert_eq!(delivery["event"]["payload"]["n"], seen);
            seen += 1;
        }
        let ids: Vec<_> = pulled.iter().map(|delivery| delivery["deliveryId"].clone()).collect();
        assert!(server.settle("crm", json!({ "ack": ids })).await.iter().all(|status| status == "settled"));
    }
}

#[tokio::test]
async fn a_waiting_pull_is_woken_by_an_event() {
    let server = Arc::new(TestServer::start().await);
    server.subscribe("crm", &["*"]).await;
    let waiting = tokio::spawn({
        let server = server.clone();
        async move { server.pull("crm", 1).await }
    });
    server.publish(json!({ "type": "a" })).await;
    assert_eq!(tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap().unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_not_settled_in_time_is_handed_out_once_more() {
    let (server, clock) = TestServer::held().await;
    server
        .put("/api/subscriptions/crm", json!({ "types": ["*"], "start": "earliest", "ackTimeoutMs": 1_000 }))
        .await
        .expect(201);
    server.publish(json!({ "type": "a" })).await;
    let first = server.post("/api/subscriptions/crm/pull", json!({})).await.expect(200)["deliveries"][0].clone();
    clock.advance(Duration::from_millis(1_001));
    let second = server.post("/api/subscriptions/crm/pull", json!({})).await.expect(200)["deliveries"][0].clone();
    assert_eq!(second["attempt"], 2);
    assert_ne!(first["deliveryId"], second["deliveryId"]);
    assert_eq!(
        server.settle("crm", json!({ "ack": [first["deliveryId"], second["deliveryId"]] })).await,
        ["stale", "settled"]
    );
}

#[tokio::test]
async fn there_is_nothing_to_pull_where_nobody_subscribed() {
    let server = TestServer::start().await;
    assert_eq!(server.post("/api/subscriptions/none/pull", json!({})).await.refusal(404), "not_found");
}
