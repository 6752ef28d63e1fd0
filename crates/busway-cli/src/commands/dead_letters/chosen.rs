use clap::Args;
use serde::Serialize;

use crate::failure::Failure;

/// Which dead letters are meant: some by id, or all that match.
#[derive(Debug, Args)]
pub(super) struct Chosen {
    /// Their ids
    #[arg(value_name = "ID", required_unless_present = "all", conflicts_with = "all")]
    pub(crate) ids: Vec<u64>,
    /// All of them, or all that the following flags choose
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) filter: Filter,
    /// With --all, wait until it is done
    #[arg(long, requires = "all", conflicts_with = "ids")]
    pub(crate) wait: bool,
}

/// Which of all.
#[derive(Debug, Args, Serialize)]
pub(super) struct Filter {
    /// Of this subscription
    #[arg(long, value_name = "NAME", requires = "all", conflicts_with = "ids")]
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription: Option<String>,
    /// Of this tenant's events
    #[arg(long, requires = "all", conflicts_with = "ids")]
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
    /// Of this type
    #[arg(long = "type", value_name = "TYPE", requires = "all", conflicts_with = "ids")]
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    event_type: Option<String>,
    /// Died before this time
    #[arg(long, value_name = "TIME", requires = "all", conflicts_with = "ids")]
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<String>,
}

impl Filter {
    /// As the API takes it.
    pub(super) fn body(&self) -> Result<String, Failure> {
        Ok(serde_json::to_string(self).map_err(std::io::Error::from)?)
    }
}

/// The path of one dead letter, or of something below it, like `/retry`.
pub(super) fn path(id: u64, below: &str) -> String {
    format!("/api/dead-letters/{id}{below}")
}
