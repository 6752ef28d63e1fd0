use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;

use crate::failure::Failure;

/// From now on the server says on standard error what it has to say, as far as `level` lets it.
pub(crate) fn start(level: &str) -> Result<(), Failure> {
    let filter = EnvFilter::builder()
        .parse(level)
        .map_err(|error| Failure::configuration(format!("`log.level` is `{level}`: {error}")))?;
    let started = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal())
        .try_init();
    started.map_err(|error| Failure::refused("internal", error.to_string()))
}
