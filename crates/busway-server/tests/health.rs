use crate::support::TestServer;

#[tokio::test]
async fn a_server_that_runs_is_alive_and_ready() {
    let server = TestServer::start().await;
    let (version, pid) = (env!("CARGO_PKG_VERSION"), std::process::id());
    let alive = serde_json::json!({ "status": "ok", "version": version, "pid": pid });
    assert_eq!(server.get("/healthz").await.text, alive.to_string());
    insta::assert_snapshot!(server.get("/readyz").await.text, @r#"{"status":"ready"}"#);
}

#[tokio::test]
async fn an_engine_that_is_shut_down_is_alive_and_not_ready() {
    let server = TestServer::start().await;
    server.engine.shutdown().await.unwrap();
    server.get("/healthz").await.expect(200);
    let answer = server.get("/readyz").await;
    assert_eq!(answer.refusal(503), "closed");
    assert_eq!(answer.header("retry-after"), Some("1"));
}
