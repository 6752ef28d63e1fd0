use axum::{extract::State, response::Response};

use crate::{
    app::App,
    json::{page, write_value},
    problem::Problem,
    query::Query,
};

/// `GET /api/doctor`: what is wrong, or will be, and what is as it should be.
pub(crate) async fn diagnose(State(app): State<App>, query: Query) -> Result<Response, Problem> {
    query.finish()?;
    let findings = app.engine.diagnose().await?;
    Ok(page(findings, None, |text, finding| write_value(text, &finding)))
}
