//! What can be configured: `default.toml`, overridden by a file, by variables, by flags.

mod backend;
mod layers;
mod source;

use serde::Deserialize;

pub(crate) use backend::{Backend, Kind, Synchronous};
pub(crate) use layers::{DEFAULTS, load};
pub(crate) use source::Source;

use crate::span::Span;

/// Where the API is served unless it is configured otherwise.
pub(crate) const LISTEN: &str = "127.0.0.1:2870";

/// Everything that can be configured.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Where the API is served.
    pub(crate) server: Server,
    /// Where events are kept.
    pub(crate) backend: Backend,
    /// What the server says of itself.
    pub(crate) log: Log,
}

/// Where the API is served.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Server {
    /// `host:port` or `:port` (`BUSWAY_SERVER_LISTEN`, `--listen`).
    pub(crate) listen: String,
    /// Further names of this server in `Host` (`BUSWAY_SERVER_HOSTS`).
    pub(crate) hosts: Vec<String>,
    /// How long calls may take to finish at the end (`BUSWAY_SERVER_GRACE`).
    pub(crate) grace: Span,
}

/// What the server says of itself.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Log {
    /// How much, also by part (`BUSWAY_LOG_LEVEL`).
    pub(crate) level: String,
}
