use serde_json::{Value, json};

use crate::support::TestServer;

/// The operation once it no longer runs.
pub(super) async fn ended(server: &TestServer, id: &str) -> Value {
    loop {
        let operation = server.get(&format!("/api/operations/{id}")).await.expect(200);
        if operation["state"] != "running" {
            return operation;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_replay_tells_how_far_it_is() {
    let server = TestServer::start().await;
    server.subscribe("crm", &["*"]).await;
    server.publish(json!([{ "type": "a" }, { "type": "a" }])).await;
    let begun =
        server.post("/api/subscriptions/crm/replay", json!({ "from": "earliest", "to": "latest" })).await.expect(202);
    let id = begun["operation"].as_str().unwrap();
    let operation = server.get(&format!("/api/operations/{id}")).await.expect(200);
    assert_eq!(
        (&operation["id"], &operation["kind"], &operation["error"]),
        (&json!(id), &json!("replay"), &Value::Null)
    );
    assert!(operation["done"].is_u64() && operation["total"].is_u64());
}

#[tokio::test]
async fn a_second_replay_waits_for_the_first_to_end_or_to_be_cancelled() {
    let server = TestServer::start().await;
    server.subscribe("crm", &["*"]).await;
    server.publish(json!({ "type": "a" })).await;
    let path = "/api/subscriptions/crm/replay";
    let begun = server.post(path, json!({ "from": "earliest" })).await.expect(202);
    assert_eq!(server.post(path, json!({ "from": "earliest" })).await.refusal(409), "busy");
    let operation = format!("/api/operations/{}", begun["operation"].as_str().unwrap());
    assert_eq!(server.delete(&operation).await.expect(200)["state"], "cancelled");
    assert_eq!(server.get(&operation).await.expect(200)["state"], "cancelled");
    server.post(path, json!({ "from": "earliest" })).await.expect(202);
}

#[tokio::test]
async fn an_operation_that_nobody_began_is_not_found() {
    let server = TestServer::start().await;
    for id in ["019a2c44-0000-7000-8000-000000000001", "what"] {
        assert_eq!(server.get(&format!("/api/operations/{id}")).await.refusal(404), "not_found");
        assert_eq!(server.delete(&format!("/api/operations/{id}")).await.refusal(404), "not_found");
    }
}
