use std::{error::Error as StdError, io, time::Duration};

use busway_core::{Error, ErrorKind};
use tokio_postgres::{
    Error as NativeError,
    error::{DbError, SqlState},
};

/// Raised by `append`; see its SQL.
const PART_FULL: &str = "BW003";
/// What an error that the server told has in its context.
const SQLSTATE: &str = "sqlstate";

/// Whether a statement that is lost on its way may have changed something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// It only reads.
    None,
    /// It writes: once it was sent, only its answer tells.
    Change,
}

/// Stored content that cannot be what was written.
pub(super) fn corrupt(detail: impl Into<String>) -> Error {
    Error::new(ErrorKind::Corrupt, detail)
}

/// A connection that could not be made.
pub(super) fn not_connected(error: NativeError, place: &str) -> Error {
    if let Some(native) = error.as_db_error() {
        let (kind, what) = meaning(native, Effect::None);
        return told(kind, what, native, place).with_source(error);
    }
    if takes_no_writes(&error) {
        let detail = format!(
            "no PostgreSQL at {place} that answers takes writes: they are standbys or read-only; promote one, or name the \
             primary too"
        );
        return Error::new(ErrorKind::Unreachable, detail).with_source(error);
    }
    let (kind, what) = if is_lost(&error) && !is_refused_by_tls(&error) {
        (ErrorKind::Unreachable, "cannot be reached")
    } else {
        (ErrorKind::InvalidConfiguration, "cannot be connected to as it is configured")
    };
    let why = chain(&error);
    Error::new(kind, format!("PostgreSQL at {place} {what}: {why}")).with_source(error)
}

/// A server that did not answer in time while it was connected to.
pub(super) fn no_answer(place: &str, within: Duration) -> Error {
    Error::new(ErrorKind::Unreachable, format!("PostgreSQL at {place} did not answer within {within:?}"))
}

/// A statement that failed, or was lost.
pub(super) fn failed(error: NativeError, effect: Effect, place: &str) -> Error {
    if let Some(native) = error.as_db_error() {
        let (kind, what) = meaning(native, effect);
        return told(kind, what, native, place).with_source(error);
    }
    if is_lost(&error) {
        let (kind, what) = lost(effect);
        let why = chain(&error);
        return Error::new(kind, format!("PostgreSQL at {place} {what}: {why}")).with_source(error);
    }
    let why = chain(&error);
    Error::new(ErrorKind::Internal, format!("PostgreSQL at {place} was not used as it should be: {why}"))
        .with_source(error)
}

/// A statement that did not end before its deadline; its connection was dropped.
pub(super) fn too_late(effect: Effect, place: &str, deadline: Duration) -> Error {
    let (kind, what) = lost(effect);
    Error::new(kind, format!("PostgreSQL at {place} {what}: no answer within {deadline:?}"))
}

fn lost(effect: Effect) -> (ErrorKind, &'static str) {
    match effect {
        Effect::None => (ErrorKind::Unreachable, "was lost during a statement"),
        Effect::Change => (
            ErrorKind::OutcomeUnknown,
            "was lost during a statement: whether it was carried out is not known, repeat it unchanged",
        ),
    }
}

/// True if the connection is gone, so that nothing is known of what was under way.
pub(super) fn is_lost(error: &NativeError) -> bool {
    let mut source = error.source();
    while let Some(cause) = source {
        if cause.is::<io::Error>() {
            return true;
        }
        source = cause.source();
    }
    error.is_closed()
}

/// True if `target_session_attrs=read-write` was not met by the last host.
fn takes_no_writes(error: &NativeError) -> bool {
    let io = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
    io.is_some_and(|io| io.kind() == io::ErrorKind::PermissionDenied && io.raw_os_error().is_none())
}

/// True if this side did not like the server's certificate, or the server this side's.
fn is_refused_by_tls(error: &NativeError) -> bool {
    let io = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
    io.and_then(io::Error::get_ref).is_some_and(|inner| inner.is::<rustls::Error>())
}

/// True if the newest part of the log has no seq left.
pub(super) fn is_part_full(error: &Error) -> bool {
    has_code(error, PART_FULL)
}

/// True if the server refused a statement, so that nothing of it was carried out.
pub(super) fn is_refused(error: &Error) -> bool {
    let says_why = error.context().iter().any(|(name, _)| *name == SQLSTATE);
    says_why && !matches!(error.kind(), ErrorKind::Unreachable | ErrorKind::OutcomeUnknown)
}

/// True if a statement names a table that is not there.
pub(super) fn is_no_table(error: &Error) -> bool {
    has_code(error, "42P01")
}

/// True if a row lies outside of the part that it was to go to.
pub(super) fn is_of_other_part(error: &Error) -> bool {
    has_code(error, "23514")
}

/// True if a prepared statement is not there any more, or what it calls has become another.
pub(super) fn is_of_old_plan(error: &NativeError) -> bool {
    error
        .code()
        .is_some_and(|code| [&SqlState::INVALID_SQL_STATEMENT_NAME, &SqlState::FEATURE_NOT_SUPPORTED].contains(&code))
}

fn has_code(error: &Error, wanted: &str) -> bool {
    let native = error.source().and_then(|source| source.downcast_ref::<NativeError>());
    native.and_then(NativeError::code).is_some_and(|code| code.code() == wanted)
}

fn told(kind: ErrorKind, what: &str, native: &DbError, place: &str) -> Error {
    let mut told = Error::new(kind, format!("PostgreSQL at {place} {what}: {}", native.message()));
    told = told.with_context(SQLSTATE, native.code().code());
    for (name, value) in [("detail", native.detail()), ("hint", native.hint()), ("constraint", native.constraint())] {
        if let Some(value) = value {
            told = told.with_context(name, value);
        }
    }
    told
}

fn meaning(error: &DbError, effect: Effect) -> (ErrorKind, &'static str) {
    match error.code().code() {
        "53100" => (ErrorKind::StorageFull, "cannot grow, its disk is full"),
        "25006" => (ErrorKind::StorageFull, "is read-only: a standby, or default_transaction_read_only is on"),
        "53300" => {
            (ErrorKind::Overloaded, "has no connection left; lower `pool`, raise max_connections or use a pooler")
        }
        "57014" | "55P03" | "40001" | "40P01" => (ErrorKind::Overloaded, "gave a statement up, nothing was changed"),
        "57P03" => (ErrorKind::Unreachable, "is starting or stopping"),
        "3D000" => (ErrorKind::InvalidConfiguration, "lacks the database; make it by CREATE DATABASE"),
        "42501" => (
            ErrorKind::InvalidConfiguration,
            "refuses a right; to make the schema, the user needs CREATE on the database (GRANT CREATE ON DATABASE … TO …)",
        ),
        "BW001" => (ErrorKind::InvalidConfiguration, "has settings that Busway cannot work with"),
        PART_FULL => (ErrorKind::Overloaded, "has yet to begin the next part of the log"),
        "22021" | "22P05" => (ErrorKind::InvalidEvent, "cannot store a character"),
        code => match &code[..2] {
            "08" => lost(effect),
            "57" => lost(effect),
            "28" => (ErrorKind::InvalidConfiguration, "refuses the user or the password"),
            "53" => (ErrorKind::Overloaded, "lacks resources"),
            "54" => (ErrorKind::TooLarge, "takes no value as large as this"),
            "23" | "XX" | "58" => (ErrorKind::Corrupt, "contradicts itself or is damaged"),
            "42" | "3F" => (ErrorKind::Corrupt, "lacks a table, a column or a function that Busway made"),
            _ => (ErrorKind::Internal, "was not used as it should be"),
        },
    }
}

/// An error and what caused it, in one line.
pub(super) fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
