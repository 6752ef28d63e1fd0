use hyper::Method;

use crate::support::TestServer;

#[tokio::test]
async fn an_unknown_path_is_a_problem_too() {
    let server = TestServer::start().await;
    insta::assert_snapshot!(
        server.get("/api/nothing").await.text,
        @r#"{"type":"/errors/not_found","title":"Not found","status":404,"detail":"there is nothing at /api/nothing","code":"not_found","errors":[]}"#
    );
    for path in ["/", "/api", "/api/", "/api/events/", "/api/events/a/b", "/API/events", "/api/subscriptions/a/b/pull"]
    {
        assert_eq!(server.get(path).await.refusal(404), "not_found", "{path}");
    }
}

#[tokio::test]
async fn a_wrong_method_is_told_which_are_right() {
    let server = TestServer::start().await;
    for (method, path, allowed) in [
        (Method::DELETE, "/api/events", "GET,HEAD,POST"),
        (Method::POST, "/api/events/019a", "GET,HEAD"),
        (Method::PUT, "/api/events/stream", "GET,HEAD"),
        (Method::POST, "/api/subscriptions", "GET,HEAD"),
        (Method::POST, "/api/subscriptions/a", "GET,HEAD,PUT,DELETE"),
        (Method::GET, "/api/subscriptions/a/pull", "POST"),
        (Method::GET, "/api/dead-letters/retry", "POST"),
        (Method::PUT, "/api/dead-letters/1", "GET,HEAD,PATCH"),
        (Method::OPTIONS, "/api/operations/1", "GET,HEAD,DELETE"),
        (Method::POST, "/healthz", "GET,HEAD"),
    ] {
        let answer = server.send(method.clone(), path, &[], "").await;
        assert_eq!(answer.refusal(405), "method_not_allowed", "{method} {path}");
        assert_eq!(answer.header("allow"), Some(allowed), "{method} {path}");
    }
}

#[tokio::test]
async fn a_name_with_slashes_is_found_when_it_is_encoded() {
    let server = TestServer::start().await;
    server.subscribe("app%2Fticket.created", &["ticket.created"]).await;
    let shown = server.get("/api/subscriptions/app%2Fticket.created").await.expect(200);
    assert_eq!(shown["name"], "app/ticket.created");
}
