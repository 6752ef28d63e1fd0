mod pull;
mod settle;

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::TestServer;

#[tokio::test]
async fn a_subscription_is_made_with_the_defaults_and_shown() {
    let (server, _clock) = TestServer::held().await;
    let answer = server.put("/api/subscriptions/crm", json!({ "types": ["ticket.*", "!ticket.viewed"] })).await;
    assert_eq!(answer.status, 201);
    insta::assert_snapshot!(answer.text, @r#"{"name":"crm","tenant":null,"types":["ticket.*","!ticket.viewed"],"mode":"pull","start":"latest","order":"key","onDead":"skip","retry":{"attempts":5,"backoff":"exponential","delayMs":1000,"maxDelayMs":3600000,"jitter":0.2},"ackTimeoutMs":30000,"concurrency":16,"expireAfterMs":null,"revision":1,"state":"running","members":[],"lag":{"atMost":0,"oldestAgeMs":0},"inFlight":0,"held":0,"dead":0,"deliveredTotal":0,"failedTotal":0,"madeAt":"2026-01-31T12:00:00.000Z"}"#);
    assert_eq!(server.get("/api/subscriptions/crm").await.text, answer.text);
}

#[tokio::test]
async fn every_field_that_is_sent_is_kept() {
    let server = TestServer::start().await;
    let body = json!({
        "types": ["a"], "mode": "pull", "start": "2026-01-01T00:00:00.000Z", "order": "type", "onDead": "block",
        "retry": { "attempts": 8, "backoff": "fixed", "delayMs": 5, "maxDelayMs": 50, "jitter": 0.5 },
        "ackTimeoutMs": 1_000, "concurrency": 3, "tenant": "acme", "expireAfterMs": 60_000
    });
    let shown = server.put("/api/subscriptions/crm", &body).await.expect(201);
    for (name, value) in body.as_object().unwrap() {
        assert_eq!(&shown[name], value, "{name}");
    }
}

#[tokio::test]
async fn the_same_again_is_fine_and_another_definition_only_when_it_is_asked_for() {
    let server = TestServer::start().await;
    let path = "/api/subscriptions/crm";
    assert_eq!(server.put(path, json!({ "types": ["a"] })).await.expect(201)["revision"], 1);
    assert_eq!(server.put(path, json!({ "types": ["a"], "start": "earliest" })).await.expect(200)["revision"], 1);
    assert_eq!(server.put(path, json!({ "types": ["b"] })).await.refusal(409), "definition_differs");
    assert_eq!(server.get(path).await.expect(200)["types"], json!(["a"]));
    let changed = server.put("/api/subscriptions/crm?update=true", json!({ "types": ["b"] })).await.expect(200);
    assert_eq!((&changed["revision"], &changed["types"]), (&json!(2), &json!(["b"])));
}

#[tokio::test]
async fn owners_do_not_share_names() {
    let server = TestServer::start().await;
    server.put("/api/subscriptions/crm", json!({ "types": ["a"] })).await.expect(201);
    server.put("/api/subscriptions/crm", json!({ "types": ["b"], "tenant": "acme" })).await.expect(201);
    server.put("/api/subscriptions/crm?tenant=hill", json!({ "types": ["c"] })).await.expect(201);
    for (query, types, tenant) in
        [("", "a", Value::Null), ("?tenant=acme", "b", json!("acme")), ("?tenant=hill", "c", json!("hill"))]
    {
        let shown = server.get(&format!("/api/subscriptions/crm{query}")).await.expect(200);
        assert_eq!((&shown["types"], &shown["tenant"]), (&json!([types]), &tenant));
    }
    assert_eq!(server.get("/api/subscriptions/crm?tenant=other").await.refusal(404), "not_found");
    server
        .publish(json!([{ "type": "b", "tenantId": "hill" }, { "type": "b", "tenantId": "acme", "key": "mine" }]))
        .await;
    let pulled = server.post("/api/subscriptions/crm/pull?tenant=acme", json!({ "waitMs": 10_000 })).await.expect(200);
    assert_eq!(pulled["deliveries"].as_array().unwrap().len(), 1);
    assert_eq!(pulled["deliveries"][0]["event"]["key"], "mine");
    let answer = server.put("/api/subscriptions/crm?tenant=hill", json!({ "types": ["c"], "tenant": "acme" })).await;
    assert_eq!(answer.refusal(422), "invalid_body");
    assert_eq!(answer.expect(422)["errors"][0]["pointer"], "/tenant");
}

#[tokio::test]
async fn the_list_goes_over_all_owners_page_by_page() {
    let server = TestServer::start().await;
    for (name, tenant) in
        [("b", Value::Null), ("a", Value::Null), ("a", json!("acme")), ("c/d", json!("acme")), ("z", json!("hill"))]
    {
        let path = format!("/api/subscriptions/{}", name.replace('/', "%2F"));
        server.put(&path, json!({ "types": ["*"], "tenant": tenant })).await.expect(201);
    }
    let (mut seen, mut path) = (Vec::new(), "/api/subscriptions?limit=2".to_owned());
    loop {
        let page = server.get(&path).await.expect(200);
        let items = page["items"].as_array().unwrap();
        seen.extend(
            items
                .iter()
                .map(|item| format!("{}/{}", item["tenant"].as_str().unwrap_or("*"), item["name"].as_str().unwrap())),
        );
        match page["next"].as_str() {
            Some(next) => path = format!("/api/subscriptions?limit=2&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, ["*/a", "*/b", "acme/a", "acme/c/d", "hill/z"]);
    let acme = server.get("/api/subscriptions?tenant=acme").await.expect(200);
    assert_eq!(acme["items"].as_array().unwrap().len(), 2);
    assert_eq!(acme["next"], Value::Null);
}

#[tokio::test]
async fn a_removed_subscription_is_gone_with_its_dead_letters_unless_they_are_kept() {
    let server = TestServer::start().await;
    for (name, query, kept) in [("crm", "", 0), ("chat", "?keepDeadLetters=true", 1)] {
        server.subscribe(name, &["*"]).await;
        server.publish(json!({ "type": "a" })).await;
        let delivery = server.pull(name, 1).await.remove(0);
        server.settle(name, json!({ "dead": [{ "id": delivery["deliveryId"] }] })).await;
        let letters = format!("/api/dead-letters?subscription={name}");
        assert_eq!(server.get(&letters).await.expect(200)["items"].as_array().unwrap().len(), 1);
        let answer = server.delete(&format!("/api/subscriptions/{name}{query}")).await;
        assert_eq!((answer.status, &*answer.text), (204, ""));
        assert_eq!(server.get(&format!("/api/subscriptions/{name}")).await.refusal(404), "not_found");
        assert_eq!(server.get(&letters).await.expect(200)["items"].as_array().unwrap().len(), kept);
    }
    assert_eq!(server.delete("/api/subscriptions/crm").await.refusal(404), "not_found");
}

#[tokio::test]
async fn a_paused_subscription_hands_out_nothing_until_it_is_resumed() {
    let server = TestServer::start().await;
    server.subscribe("crm", &["*"]).await;
    server.publish(json!({ "type": "a" })).await;
    assert_eq!(server.post("/api/subscriptions/crm/pause", "").await.expect(200)["state"], "paused");
    let answer = server.post("/api/subscriptions/crm/pull", json!({ "max": 10 })).await;
    assert_eq!(answer.expect(200), json!({ "deliveries": [] }));
    assert_eq!(server.post("/api/subscriptions/crm/resume", "").await.expect(200)["state"], "running");
    assert_eq!(server.pull("crm", 10).await.len(), 1);
}

#[tokio::test]
async fn a_subscription_goes_on_from_where_it_is_sent() {
    let (server, clock) = TestServer::held().await;
    server.put("/api/subscriptions/crm", json!({ "types": ["*"] })).await.expect(201);
    for event_type in ["a", "b", "c"] {
        server.publish(json!({ "type": event_type, "key": "k" })).await;
        clock.advance(Duration::from_secs(60));
    }
    for (to, first) in [("2026-01-31T12:01:00Z", Some("b")), ("earliest", Some("a")), ("latest", None)] {
        server.post("/api/subscriptions/crm/seek", json!({ "to": to })).await.expect(200);
        let pulled = server.post("/api/subscriptions/crm/pull", json!({ "max": 1 })).await.expect(200);
        assert_eq!(pulled["deliveries"][0]["event"]["type"].as_str(), first, "{to}");
    }
}

#[tokio::test]
async fn a_replay_goes_to_this_subscription_and_is_marked() {
    let server = TestServer::start().await;
    server.subscribe("crm", &["*"]).await;
    server.publish(json!([{ "type": "a", "key": "k" }, { "type": "b", "key": "k" }])).await;
    let live = server.pull("crm", 10).await;
    let ids: Vec<_> = live.iter().map(|delivery| delivery["deliveryId"].clone()).collect();
    assert_eq!(server.settle("crm", json!({ "ack": ids })).await, ["settled", "settled"]);
    let begun =
        server.post("/api/subscriptions/crm/replay", json!({ "from": "earliest", "types": ["b"] })).await.expect(202);
    let again = server.pull("crm", 10).await;
    assert_eq!(again.len(), 1);
    assert_eq!((&again[0]["event"]["type"], &again[0]["replay"]), (&json!("b"), &begun["operation"]));
}

#[tokio::test]
async fn modes_that_this_server_does_not_carry_out_are_told() {
    let server = TestServer::start().await;
    for body in [
        json!({ "types": ["a"], "mode": "run" }),
        json!({ "types": ["a"], "mode": "push" }),
        json!({ "types": ["a"], "endpoint": { "url": "https://example.org/" } }),
        json!({ "types": ["a"], "mode": "pull", "endpoint": { "url": "https://example.org/" } }),
    ] {
        let answer = server.put("/api/subscriptions/crm", &body).await;
        assert_eq!(answer.refusal(501), "unsupported", "{body}");
    }
    assert_eq!(server.get("/api/subscriptions/crm").await.refusal(404), "not_found");
}
