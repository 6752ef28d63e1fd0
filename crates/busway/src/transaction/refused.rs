use busway_core::{BoxError, Error, ErrorKind};

/// What it means that a database has refused a statement, or has not answered it; `state` is its SQLSTATE.
pub(super) fn refused(state: Option<&str>, told: &str, source: impl Into<BoxError>) -> Error {
    let (kind, detail) = match state {
        Some("22023") => (ErrorKind::InvalidEvent, ""),
        Some("25P02") => (ErrorKind::Stale, "the transaction has failed before: roll it back and begin another"),
        Some("42501") => (
            ErrorKind::InvalidConfiguration,
            "the transaction's user may not write to the outbox (GRANT USAGE ON SCHEMA busway, GRANT INSERT ON \
             busway.outbox, busway.first_times)",
        ),
        Some("3F000" | "42883" | "42P01") => {
            (ErrorKind::InvalidConfiguration, "the transaction is on another database than the bus")
        }
        Some("57014" | "55P03") => (ErrorKind::Overloaded, "the database gave the statement up"),
        Some(state) if state.starts_with("40") => (ErrorKind::Overloaded, "the transaction was given up: repeat it"),
        Some(state) if !state.starts_with("08") && !state.starts_with("57") => {
            (ErrorKind::Internal, "the database refused to publish in the transaction")
        }
        _ => (ErrorKind::Unreachable, "the transaction's connection was lost"),
    };
    let detail = if detail.is_empty() { told.to_owned() } else { format!("{detail}: {told}") };
    Error::new(kind, detail).with_source(source)
}
