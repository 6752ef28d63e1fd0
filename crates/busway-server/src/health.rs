use axum::{extract::State, http::StatusCode, response::Response};
use busway_core::ErrorKind;
use serde_json::json;

use crate::{app::App, json::answer_value, problem::Problem};

/// `GET /healthz`: the process answers, and says which it is.
pub(crate) async fn alive() -> Response {
    let version = env!("CARGO_PKG_VERSION");
    answer_value(StatusCode::OK, &json!({ "status": "ok", "version": version, "pid": std::process::id() }))
}

/// `GET /readyz`: the process can do its work.
pub(crate) async fn ready(State(app): State<App>) -> Result<Response, Problem> {
    if app.stopping.is_cancelled() {
        return Err(Problem::new(ErrorKind::Closed, "the server is stopping"));
    }
    app.engine.ready().await?;
    Ok(answer_value(StatusCode::OK, &json!({ "status": "ready" })))
}
