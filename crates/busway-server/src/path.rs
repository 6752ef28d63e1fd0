use std::str::FromStr;

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use busway_core::ErrorKind;

use crate::problem::Problem;

/// The `{…}` of the address. What cannot be read as `T` names nothing, so nothing is found there.
pub(crate) struct FromPath<T>(pub(crate) T);

impl<T: FromStr, S: Send + Sync> FromRequestParts<S> for FromPath<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let not_found = |text: &str| Problem::new(ErrorKind::NotFound, format!("nothing stands under `{text}`"));
        let Ok(Path(text)) = Path::<String>::from_request_parts(parts, state).await else {
            return Err(not_found(parts.uri.path()));
        };
        text.parse().map(Self).map_err(|_| not_found(&text))
    }
}
