use serde_json::{Value, json};

use crate::support::TestServer;

/// Makes a subscription with one dead letter of each event, and gives the letters' ids.
async fn dead(server: &TestServer, name: &str, events: Value) -> Vec<String> {
    server.subscribe(name, &["*"]).await;
    let count = events.as_array().unwrap().len();
    server.publish(events).await;
    let mut left = count;
    while left > 0 {
        let pulled = server.pull(name, 1_000).await;
        let dead: Vec<_> = pulled
            .iter()
            .map(|delivery| json!({ "id": delivery["deliveryId"], "error": "404 no such room" }))
            .collect();
        left -= server.settle(name, json!({ "dead": dead })).await.iter().filter(|status| *status == "settled").count();
    }
    let letters = server.get(&format!("/api/dead-letters?subscription={name}&limit=1000")).await.expect(200);
    let letters = letters["items"].as_array().unwrap().clone();
    assert_eq!(letters.len(), count);
    letters.iter().map(|letter| letter["id"].as_str().unwrap().to_owned()).collect()
}

async fn left(server: &TestServer) -> usize {
    server.get("/api/dead-letters?limit=1000").await.expect(200)["items"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_dead_letter_shows_its_event_and_why_it_died() {
    let server = TestServer::start().await;
    let ids =
        dead(&server, "chat", json!([{ "type": "shift.created", "tenantId": "acme", "payload": { "n": 1.0 } }])).await;
    let answer = server.get(&format!("/api/dead-letters/{}", ids[0])).await;
    let letter = answer.expect(200);
    assert!(answer.text.contains(r#""payload":{"n":1.0}"#));
    assert_eq!(letter["id"], ids[0]);
    assert_eq!(letter["subscription"], "chat");
    assert_eq!(letter["owner"], "*");
    assert_eq!(letter["tenantId"], "acme");
    assert_eq!(letter["event"]["type"], "shift.created");
    assert_eq!(letter["editedPayload"], Value::Null);
    assert_eq!(letter["error"], "404 no such room");
    assert_eq!(letter["attempts"], 1);
    assert_eq!(letter["cause"], "permanent");
    assert!(letter["firstFailedAt"].is_string() && letter["diedAt"].is_string());
}

#[tokio::test]
async fn the_list_is_narrowed_by_subscription_tenant_and_type_and_comes_page_by_page() {
    let server = TestServer::start().await;
    let events = json!([{ "type": "a", "tenantId": "acme" }, { "type": "b", "tenantId": "acme" }, { "type": "a", "tenantId": "hill" }]);
    let ids = dead(&server, "chat", events).await;
    for (query, found) in [
        ("subscription=chat", 3),
        ("subscription=crm", 0),
        ("tenant=acme", 2),
        ("tenant=hill&type=a", 1),
        ("type=b", 1),
    ] {
        let items = server.get(&format!("/api/dead-letters?{query}")).await.expect(200)["items"].clone();
        assert_eq!(items.as_array().unwrap().len(), found, "{query}");
    }
    let first = server.get("/api/dead-letters?limit=2").await.expect(200);
    let next = first["next"].as_str().unwrap();
    let second = server.get(&format!("/api/dead-letters?limit=2&cursor={next}")).await.expect(200);
    assert_eq!(second["items"][0]["id"], ids[2]);
    assert_eq!(second["next"], Value::Null);
}

#[tokio::test]
async fn a_retry_delivers_the_same_event_from_attempt_one_with_the_edited_payload() {
    let server = TestServer::start().await;
    let ids = dead(&server, "chat", json!([{ "type": "a", "payload": { "room": "no" } }])).await;
    let path = format!("/api/dead-letters/{}", ids[0]);
    let edited = server.patch(&path, r#"{"payload":{ "room": 1.0 }}"#).await;
    assert!(edited.text.contains(r#""editedPayload":{ "room": 1.0 }"#), "{}", edited.text);
    assert_eq!(edited.expect(200)["event"]["payload"], json!({ "room": "no" }));
    assert_eq!(server.post(&format!("{path}/retry"), "").await.expect(202), json!({}));
    let again = server.pull("chat", 1).await.remove(0);
    assert_eq!((&again["attempt"], &again["event"]["payload"]), (&json!(1), &json!({ "room": 1.0 })));
    assert_eq!(server.settle("chat", json!({ "ack": [again["deliveryId"]] })).await, ["settled"]);
    assert_eq!(server.get(&path).await.refusal(404), "not_found");
}

#[tokio::test]
async fn a_discarded_dead_letter_is_gone() {
    let server = TestServer::start().await;
    let ids = dead(&server, "chat", json!([{ "type": "a" }])).await;
    let answer = server.post(&format!("/api/dead-letters/{}/discard", ids[0]), "").await;
    assert_eq!((answer.status, &*answer.text), (204, ""));
    assert_eq!(left(&server).await, 0);
    assert_eq!(server.post(&format!("/api/dead-letters/{}/discard", ids[0]), "").await.refusal(404), "not_found");
}

#[tokio::test]
async fn another_tenants_dead_letter_is_not_found() {
    let server = TestServer::start().await;
    let ids = dead(&server, "chat", json!([{ "type": "a", "tenantId": "acme" }])).await;
    server.get(&format!("/api/dead-letters/{}?tenant=acme", ids[0])).await.expect(200);
    for path in ["", "/retry", "/discard"] {
        let path = format!("/api/dead-letters/{}{path}?tenant=hill", ids[0]);
        let answer = if path.contains("/retry") || path.contains("/discard") {
            server.post(&path, "").await
        } else {
            server.get(&path).await
        };
        assert_eq!(answer.refusal(404), "not_found", "{path}");
    }
    assert_eq!(left(&server).await, 1);
}

#[tokio::test]
async fn many_are_retried_by_one_call() {
    let server = TestServer::start().await;
    let events: Vec<Value> = (0..30).map(|n| json!({ "type": if n % 3 == 0 { "b" } else { "a" } })).collect();
    dead(&server, "chat", events.into()).await;
    let begun =
        server.post("/api/dead-letters/retry", json!({ "subscription": "chat", "type": "a" })).await.expect(202);
    assert!(begun["operation"].is_string());
    let mut retried = 0;
    while retried < 20 {
        let pulled = server.pull("chat", 100).await;
        assert!(pulled.iter().all(|delivery| delivery["event"]["type"] == "a"));
        let ids: Vec<_> = pulled.iter().map(|delivery| delivery["deliveryId"].clone()).collect();
        retried +=
            server.settle("chat", json!({ "ack": ids })).await.iter().filter(|status| *status == "settled").count();
    }
    assert_eq!(left(&server).await, 10);
}

#[tokio::test]
async fn many_are_discarded_by_one_call_and_the_operation_tells_how_far_it_is() {
    let server = TestServer::start().await;
    let events = json!([{ "type": "a", "tenantId": "acme" }, { "type": "a", "tenantId": "hill" }, { "type": "a", "tenantId": "hill" }]);
    dead(&server, "chat", events).await;
    let begun = server.post("/api/dead-letters/discard?tenant=hill", json!({})).await.expect(202);
    let operation = super::operations::ended(&server, begun["operation"].as_str().unwrap()).await;
    assert_eq!(
        (&operation["kind"], &operation["state"], &operation["done"]),
        (&json!("discard"), &json!("done"), &json!(2))
    );
    let rest = server.get("/api/dead-letters").await.expect(200);
    assert_eq!(rest["items"].as_array().unwrap().len(), 1);
    assert_eq!(rest["items"][0]["tenantId"], "acme");
}
