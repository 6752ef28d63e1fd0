//! `busway doctor`.

use std::time::Duration;

use clap::Args;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    failure::{Exit, Failure},
    http::Client,
    output::Output,
    text::{counted, printable},
    wire::Finding,
};

/// Longer than it takes to read a large file from end to end.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// Tell what is wrong, or will be, and the way out.
#[derive(Debug, Args)]
#[command(after_help = "Exits with 5 if something fails; with 0 if all is well or there are warnings alone.")]
pub(crate) struct Doctor {}

#[derive(Deserialize)]
struct Findings {
    items: Vec<Box<RawValue>>,
}

impl Doctor {
    /// Shows what the server finds of its store and its subscriptions; a `fail` is a problem found.
    pub(crate) async fn run(&self, client: &Client, output: Output) -> Result<(), Failure> {
        let found: Findings = client.get_within(PATIENCE, "/api/doctor").await?;
        let mut failed = 0;
        for item in &found.items {
            let finding: Finding = serde_json::from_str(item.get())
                .map_err(|error| Failure::refused("no_busway", format!("a finding cannot be read: {error}")))?;
            failed += u64::from(finding.level == "fail");
            if output.json { output.raw(item)? } else { output.line(told(&finding))? }
        }
        match failed {
            0 => Ok(()),
            _ => Err(Failure::new(Exit::Problems, "doctor", counted(failed, "check fails", "checks fail"))),
        }
    }
}

/// `warn  synchronous_commit is off: a crash loses events; ALTER ROLE …`.
fn told(finding: &Finding) -> String {
    let remedy = finding.remedy.as_deref().map(|remedy| format!("; {}", printable(remedy))).unwrap_or_default();
    format!("{:4}  {}{remedy}", printable(&finding.level), printable(&finding.detail))
}
