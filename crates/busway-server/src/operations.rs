use axum::{extract::State, http::StatusCode, response::Response};
use busway_core::{OperationRecord, OperationState};
use serde::Serialize;
use uuid::Uuid;

use crate::{app::App, json::answer_value, path::FromPath, problem::Problem, query::Query};

/// An operation as it is shown.
#[derive(Serialize)]
struct Shown<'a> {
    id: Uuid,
    kind: &'a str,
    state: OperationState,
    done: u64,
    total: u64,
    error: Option<&'a str>,
}

impl<'a> From<&'a OperationRecord> for Shown<'a> {
    fn from(record: &'a OperationRecord) -> Self {
        let OperationRecord { id, kind, state, done, total, error, .. } = record;
        Self { id: *id, kind, state: *state, done: *done, total: *total, error: error.as_deref() }
    }
}

/// The answer to a call that goes on after it: `{"operation"}`.
pub(crate) fn begun(id: Uuid) -> Response {
    answer_value(StatusCode::ACCEPTED, &serde_json::json!({ "operation": id }))
}

/// `GET /api/operations/{id}`.
pub(crate) async fn show(
    State(app): State<App>,
    FromPath(id): FromPath<Uuid>,
    mut query: Query,
) -> Result<Response, Problem> {
    let owner = query.owner()?;
    query.finish()?;
    let operation = app.engine.operation(owner.as_ref(), id).await?;
    Ok(answer_value(StatusCode::OK, &Shown::from(&operation)))
}

/// `DELETE /api/operations/{id}`: ends it, and shows how far it came.
pub(crate) async fn cancel(
    State(app): State<App>,
    FromPath(id): FromPath<Uuid>,
    mut query: Query,
) -> Result<Response, Problem> {
    let owner = query.owner()?;
    query.finish()?;
    app.engine.cancel_operation(owner.as_ref(), id).await?;
    let operation = app.engine.operation(owner.as_ref(), id).await?;
    Ok(answer_value(StatusCode::OK, &Shown::from(&operation)))
}
