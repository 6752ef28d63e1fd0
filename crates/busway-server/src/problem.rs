use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use busway_core::{Error, ErrorKind, FieldError};
use serde::Serialize;

/// Seconds after which a caller may come again.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// An error as a caller sees it: `application/problem+json`.
#[derive(Debug)]
pub(crate) struct Problem {
    error: Error,
    /// Said in place of the error's own sentence.
    detail: Option<String>,
}

impl Problem {
    pub(crate) fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Error::new(kind, detail).into()
    }

    /// The same problem, its sentence another.
    pub(crate) fn saying(self, detail: String) -> Self {
        Self { detail: Some(detail), ..self }
    }

    /// The problem's document, as it stands in the body of an answer.
    pub(crate) fn to_json(&self) -> String {
        let kind = self.error.kind();
        let document = Document {
            type_: format!("/errors/{}", kind.code()),
            title: title(kind),
            status: status(kind).as_u16(),
            detail: self.detail.as_deref().unwrap_or(self.error.detail()),
            code: kind.code(),
            errors: self.error.fields().iter().map(Fault::from).collect(),
        };
        serde_json::to_string(&document).unwrap_or_default()
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self { error, detail: None }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = status(self.error.kind());
        if status.is_server_error() {
            tracing::warn!(error = %self.error, source = ?std::error::Error::source(&self.error), "a call failed");
        }
        let content_type = HeaderValue::from_static("application/problem+json");
        let mut response = (status, [(header::CONTENT_TYPE, content_type)], self.to_json()).into_response();
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "type")]
    type_: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: &'static str,
    errors: Vec<Fault<'a>>,
}

#[derive(Serialize)]
struct Fault<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<usize>,
    pointer: &'a str,
    code: &'static str,
    detail: &'a str,
}

impl<'a> From<&'a FieldError> for Fault<'a> {
    fn from(fault: &'a FieldError) -> Self {
        Self { index: fault.index, pointer: &fault.pointer, code: fault.code, detail: &fault.detail }
    }
}

fn status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::BadRequest => StatusCode::BAD_REQUEST,
        ErrorKind::Unauthorized => StatusCode::UNAUTHORIZED,
        ErrorKind::Forbidden => StatusCode::FORBIDDEN,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        ErrorKind::DefinitionDiffers | ErrorKind::WrongMode | ErrorKind::Busy | ErrorKind::Stale => {
            StatusCode::CONFLICT
        }
        ErrorKind::PositionLost => StatusCode::GONE,
        ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ErrorKind::InvalidEvent | ErrorKind::UnknownEventType | ErrorKind::InvalidBody => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        ErrorKind::Overloaded => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Unsupported => StatusCode::NOT_IMPLEMENTED,
        ErrorKind::Unreachable | ErrorKind::Closed => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::OutcomeUnknown => StatusCode::GATEWAY_TIMEOUT,
        ErrorKind::StorageFull => StatusCode::INSUFFICIENT_STORAGE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn title(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidEvent => "The event is not valid",
        ErrorKind::UnknownEventType => "The event's type is not known",
        ErrorKind::InvalidBody => "The request is not valid",
        ErrorKind::BadRequest => "The request cannot be read",
        ErrorKind::DefinitionDiffers => "Another definition stands under the name",
        ErrorKind::WrongMode => "The call does not fit the subscription's mode",
        ErrorKind::Busy => "Another operation runs",
        ErrorKind::Stale => "It changed meanwhile",
        ErrorKind::PositionLost => "The position is lost",
        ErrorKind::NotFound => "Not found",
        ErrorKind::Unauthorized => "No valid credentials",
        ErrorKind::Forbidden => "Not allowed",
        ErrorKind::MethodNotAllowed => "The method does not fit the address",
        ErrorKind::TooLarge => "The content is too large",
        ErrorKind::UnsupportedMediaType => "The content type is not read",
        ErrorKind::Unsupported => "Not supported",
        ErrorKind::StorageFull => "The store is full",
        ErrorKind::Overloaded => "Too much waits already",
        ErrorKind::Unreachable => "The store cannot be reached",
        ErrorKind::OutcomeUnknown => "The outcome is not known",
        ErrorKind::Closed => "The server is stopping",
        _ => "The server failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_names_type_title_status_detail_code_and_each_fault() {
        let mut fault = FieldError::new("/payload/id", "wrong_type", "must be a string");
        fault.index = Some(2);
        let problem = Problem::from(Error::invalid(ErrorKind::InvalidEvent, vec![fault]));
        insta::assert_snapshot!(problem.to_json(), @r#"{"type":"/errors/invalid_event","title":"The event is not valid","status":422,"detail":"[2]/payload/id must be a string","code":"invalid_event","errors":[{"index":2,"pointer":"/payload/id","code":"wrong_type","detail":"must be a string"}]}"#);
    }

    #[test]
    fn every_kind_has_its_status() {
        let statuses = ErrorKind::ALL.iter().map(|kind| format!("{} {kind}\n", status(*kind).as_u16()));
        insta::assert_snapshot!(statuses.collect::<String>(), @r"
        422 invalid_event
        422 unknown_event_type
        422 invalid_body
        400 bad_request
        409 definition_differs
        409 wrong_mode
        409 busy
        409 stale
        410 position_lost
        404 not_found
        401 unauthorized
        403 forbidden
        405 method_not_allowed
        413 too_large
        415 unsupported_media_type
        501 unsupported
        507 storage_full
        429 overloaded
        503 unreachable
        504 outcome_unknown
        500 backend_too_old
        500 store_too_new
        500 network_file_system
        500 corrupt
        500 address_in_use
        500 invalid_configuration
        503 closed
        500 handler
        500 internal
        ");
    }

    #[test]
    fn who_may_come_again_is_told_when() {
        for kind in [ErrorKind::Overloaded, ErrorKind::Unreachable, ErrorKind::Closed] {
            let response = Problem::new(kind, "later").into_response();
            assert_eq!(response.headers().get(header::RETRY_AFTER), Some(&RETRY_AFTER), "{kind}");
        }
        let response = Problem::new(ErrorKind::StorageFull, "full").into_response();
        assert_eq!(response.headers().get(header::RETRY_AFTER), None);
    }
}
