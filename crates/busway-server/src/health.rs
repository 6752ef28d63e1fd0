use axum::{extract::State, http::StatusCode, response::Response};
use busway_core::ErrorKind;
use serde_json::json;

use crate::{app::App, json::answer_value, problem::Problem};

/// `GET /healthz`: the process answers.
pub(crate) async fn alive() -> Response {
    answer_value(StatusCode::OK, &json!({ "status": "ok" }))
}

/// `GET /readyz`: the process can do its work.
pub(crate) async fn ready(State(app): State<App>) -> Result<Response, Problem> {
    if app.stopping.is_cancelled() {
        return Err(Problem::new(ErrorKind::Closed, "the server is stopping"));
    }
    app.engine.ready().await?;
    Ok(answer_value(StatusCode::OK, &json!({ "status": "ready" })))
}
