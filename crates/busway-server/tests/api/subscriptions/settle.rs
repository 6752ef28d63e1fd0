use std::time::Duration;

use serde_json::{Value, json};

use crate::support::TestServer;

/// A server with a held clock, a subscription `crm` without jitter, and what was pulled of these events.
async fn pulled(events: Value) -> (TestServer, std::sync::Arc<busway_core::ManualClock>, Vec<String>) {
    let (server, clock) = TestServer::held().await;
    let body =
        json!({ "types": ["*"], "start": "earliest", "retry": { "attempts": 2, "delayMs": 1_000, "jitter": 0 } });
    server.put("/api/subscriptions/crm", body).await.expect(201);
    server.publish(events).await;
    let ids = ids(&pull(&server).await);
    (server, clock, ids)
}

async fn pull(server: &TestServer) -> Vec<Value> {
    let answer = server.post("/api/subscriptions/crm/pull", json!({ "max": 100 })).await;
    answer.expect(200)["deliveries"].as_array().unwrap().clone()
}

fn ids(deliveries: &[Value]) -> Vec<String> {
    deliveries.iter().map(|delivery| delivery["deliveryId"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn what_is_acknowledged_is_settled_once() {
    let (server, _clock, ids) = pulled(json!([{ "type": "a" }, { "type": "a" }])).await;
    assert_eq!(server.settle("crm", json!({ "ack": ids })).await, ["settled", "settled"]);
    assert_eq!(server.settle("crm", json!({ "ack": ids })).await, ["stale", "stale"]);
    assert_eq!(server.get("/api/subscriptions/crm").await.expect(200)["deliveredTotal"], 2);
}

#[tokio::test]
async fn results_come_in_the_order_sent() {
    let (server, _clock, ids) =
        pulled(json!([{ "type": "a" }, { "type": "a" }, { "type": "a" }, { "type": "a" }])).await;
    let body = json!({
        "extend": [{ "id": ids[0], "ms": 60_000 }], "ack": [ids[3]],
        "dead": [{ "id": ids[1], "error": "404" }], "retry": [{ "id": ids[2], "delayMs": 5_000, "error": "503" }]
    });
    let answer = server.post("/api/subscriptions/crm/settle", body).await.expect(200);
    let results = answer["results"].as_array().unwrap();
    assert!(results.iter().all(|result| result["status"] == "settled"));
    let order: Vec<_> = results.iter().map(|result| result["id"].as_str().unwrap()).collect();
    assert_eq!(order, [&ids[3], &ids[2], &ids[1], &ids[0]]);
}

#[tokio::test]
async fn a_retry_comes_again_after_its_delay_and_the_last_one_is_dead() {
    let (server, clock, ids_first) = pulled(json!({ "type": "a" })).await;
    server.settle("crm", json!({ "retry": [{ "id": ids_first[0], "delayMs": 5_000, "error": "503" }] })).await;
    clock.advance(Duration::from_millis(4_999));
    assert_eq!(pull(&server).await.len(), 0);
    clock.advance(Duration::from_millis(1));
    let again = pull(&server).await;
    assert_eq!(again[0]["attempt"], 2);
    server.settle("crm", json!({ "retry": [{ "id": ids(&again)[0], "error": "503 once more" }] })).await;
    let letters = server.get("/api/dead-letters?subscription=crm").await.expect(200);
    assert_eq!(letters["items"][0]["error"], "503 once more");
    assert_eq!((&letters["items"][0]["attempts"], &letters["items"][0]["cause"]), (&json!(2), &json!("attempts")));
}

#[tokio::test]
async fn what_follows_a_failure_of_its_key_is_stale() {
    let (server, _clock, ids) =
        pulled(json!([{ "type": "a", "key": "k" }, { "type": "a", "key": "k" }, { "type": "a", "key": "k" }])).await;
    let body = json!({ "ack": [ids[0], ids[2]], "retry": [{ "id": ids[1] }] });
    assert_eq!(server.settle("crm", body).await, ["settled", "stale", "settled"]);
}

#[tokio::test]
async fn more_time_is_given_where_it_is_asked_for() {
    let (server, clock, ids) = pulled(json!({ "type": "a" })).await;
    assert_eq!(server.settle("crm", json!({ "extend": [{ "id": ids[0], "ms": 120_000 }] })).await, ["settled"]);
    clock.advance(Duration::from_secs(119));
    assert_eq!(pull(&server).await.len(), 0);
    assert_eq!(server.settle("crm", json!({ "ack": ids })).await, ["settled"]);
}

#[tokio::test]
async fn an_id_that_is_there_twice_is_refused_and_nothing_applied() {
    let (server, _clock, ids) = pulled(json!([{ "type": "a" }, { "type": "a" }])).await;
    let body = json!({ "ack": [ids[0], ids[1]], "retry": [{ "id": ids[0] }] });
    let answer = server.post("/api/subscriptions/crm/settle", body).await;
    assert_eq!(answer.refusal(422), "invalid_body");
    assert_eq!(server.settle("crm", json!({ "ack": ids })).await, ["settled", "settled"]);
}

#[tokio::test]
async fn an_id_that_nobody_gave_out_is_stale() {
    let (server, _clock, _ids) = pulled(json!({ "type": "a" })).await;
    assert_eq!(server.settle("crm", json!({ "ack": ["", "what", "0.1.2"] })).await, ["stale", "stale", "stale"]);
}

#[tokio::test]
async fn nothing_to_settle_is_fine() {
    let (server, _clock, _ids) = pulled(json!({ "type": "a" })).await;
    assert_eq!(server.settle("crm", json!({})).await, Vec::<String>::new());
}
