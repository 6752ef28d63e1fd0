use std::panic::AssertUnwindSafe;

use axum::{
    Router,
    extract::Request,
    http::{Method, Uri},
    middleware::{self, Next},
    response::Response,
    routing::{get, post},
};
use busway_core::ErrorKind;
use futures::FutureExt;

use crate::{
    access::{self, Access},
    app::App,
    dead_letters, doctor, events, health, operations,
    problem::Problem,
    pull, settle, stream, subscriptions,
};

/// Every route of the server.
pub(crate) fn router(app: App, access: Access) -> Router {
    Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/api/events", get(events::list).post(events::publish))
        .route("/api/events/stream", get(stream::open))
        .route("/api/events/{id}", get(events::show))
        .route("/api/subscriptions", get(subscriptions::list))
        .route(
            "/api/subscriptions/{name}",
            get(subscriptions::show).put(subscriptions::put).delete(subscriptions::remove),
        )
        .route("/api/subscriptions/{name}/pull", post(pull::pull))
        .route("/api/subscriptions/{name}/settle", post(settle::settle))
        .route("/api/subscriptions/{name}/pause", post(subscriptions::pause))
        .route("/api/subscriptions/{name}/resume", post(subscriptions::resume))
        .route("/api/subscriptions/{name}/seek", post(subscriptions::seek))
        .route("/api/subscriptions/{name}/replay", post(subscriptions::replay))
        .route("/api/dead-letters", get(dead_letters::list))
        .route("/api/dead-letters/retry", post(dead_letters::retry_all))
        .route("/api/dead-letters/discard", post(dead_letters::discard_all))
        .route("/api/dead-letters/{id}", get(dead_letters::show).patch(dead_letters::edit))
        .route("/api/dead-letters/{id}/retry", post(dead_letters::retry))
        .route("/api/dead-letters/{id}/discard", post(dead_letters::discard))
        .route("/api/operations/{id}", get(operations::show).delete(operations::cancel))
        .route("/api/doctor", get(doctor::diagnose))
        .fallback(no_such_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(access, access::check))
        .layer(middleware::from_fn(answer_panics))
        .with_state(app)
}

async fn no_such_path(uri: Uri) -> Problem {
    Problem::new(ErrorKind::NotFound, format!("there is nothing at {}", uri.path()))
}

async fn wrong_method(method: Method, uri: Uri) -> Problem {
    let detail = format!("{} does not take {method}; `Allow` names what it takes", uri.path());
    Problem::new(ErrorKind::MethodNotAllowed, detail)
}

/// A defect costs one answer, not the connection.
async fn answer_panics(request: Request, next: Next) -> Result<Response, Problem> {
    let place = format!("{} {}", request.method(), request.uri().path());
    AssertUnwindSafe(next.run(request)).catch_unwind().await.map_err(|_| {
        tracing::error!(place, "a route panicked");
        Problem::new(ErrorKind::Internal, "a defect in Busway; please report it with what stood in the log")
    })
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::StatusCode};
    use hyper::service::Service;
    use hyper_util::service::TowerToHyperService;

    use super::*;

    #[tokio::test]
    async fn a_route_that_panics_answers_with_a_problem() {
        async fn broken() {
            panic!("broken on purpose");
        }
        let router = Router::new().route("/", get(broken)).layer(middleware::from_fn(answer_panics));
        let response = TowerToHyperService::new(router).call(Request::new(Body::empty())).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
    }
}
