use std::time::Duration;

use serde::Deserialize;

use crate::{failure::Failure, nearest::did_you_mean, span::Span};

/// Where events are kept.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Backend {
    /// Which backend (`EVENT_BUS_TYPE`, `BUSWAY_BACKEND_TYPE`).
    #[serde(rename = "type")]
    pub(crate) kind: Kind,
    /// Where the store is; empty: for SQLite in the data folder (`BUSWAY_BACKEND_URL`, `DATABASE_URL`).
    pub(crate) url: String,
    /// How long events are kept (`BUSWAY_BACKEND_RETENTION`).
    pub(crate) retention: Retention,
    /// How hard SQLite writes (`BUSWAY_BACKEND_SYNCHRONOUS`).
    pub(crate) synchronous: Synchronous,
    /// Lanes of a new log, 0 for the backend's default (`BUSWAY_BACKEND_LANES`).
    pub(crate) lanes: u16,
}

/// The backends of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// In this process, gone with it.
    InMemory,
    /// A file.
    Sqlite,
    /// A database.
    Postgres,
}

/// The names of the backends of this version.
const HERE: [&str; 3] = ["in-memory", "sqlite", "postgres"];
/// Those that Busway has in other versions.
const ELSEWHERE: [&str; 3] = ["redis", "nats", "pubsub"];

/// Whether a backend of this name can be had; `origin` is where the name was written.
pub(super) fn check_name(name: &str, origin: &str) -> Result<(), Failure> {
    if HERE.contains(&name) {
        return Ok(());
    }
    let here = format!("`{}`", HERE.join("`, `"));
    if ELSEWHERE.contains(&name) {
        let headline = format!("backend `{name}` ({origin}) is not in this version, which has {here}");
        return Err(Failure::refused("unsupported", headline));
    }
    let near = did_you_mean(name, HERE.into_iter().chain(ELSEWHERE));
    Err(Failure::configuration(format!("`{name}` ({origin}) is no backend; this version has {here}{near}")))
}

/// The name of the backend that a store's address is for, whether this version has it or not.
pub(super) fn name_of_url(url: &str) -> Option<&'static str> {
    match url.split_once(':')?.0 {
        "memory" | "in-memory" => Some("in-memory"),
        "sqlite" => Some("sqlite"),
        "postgres" | "postgresql" => Some("postgres"),
        "redis" | "rediss" => Some("redis"),
        "nats" => Some("nats"),
        "pubsub" => Some("pubsub"),
        _ => None,
    }
}

/// How hard SQLite writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Synchronous {
    /// What was acknowledged survives a power cut.
    Full,
    /// What was acknowledged survives the end of the process.
    Normal,
}

/// How long events are kept once everybody has read them; `None`: for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Retention(pub Option<Duration>);

impl TryFrom<String> for Retention {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "forever" => Ok(Self(None)),
            span => match span.parse::<Span>() {
                Ok(Span(Duration::ZERO)) | Err(_) => {
                    Err(format!("{span:?} is neither `forever` nor a length of time like 30d"))
                }
                Ok(Span(span)) => Ok(Self(Some(span))),
            },
        }
    }
}
