//! `busway operations`.

use std::time::Duration;

use clap::Args;
use hyper::Method;
use serde_json::value::RawValue;

use crate::{
    failure::{Exit, Failure},
    http::{Client, encoded},
    output::Output,
    progress::Progress,
    text::{count, printable},
    wire::Operation,
};

/// How often a running operation is asked after.
const EVERY: Duration = Duration::from_millis(200);

/// Tell how far a replay or a bulk retry is.
#[derive(Debug, Args)]
pub(crate) struct Operations {
    /// The operation
    #[arg(value_name = "ID")]
    id: String,
    /// Wait until it has ended
    #[arg(long, conflicts_with = "cancel")]
    wait: bool,
    /// End it
    #[arg(long)]
    cancel: bool,
}

impl Operations {
    /// Shows it, waits for it, or ends it.
    pub(crate) async fn run(&self, client: &Client, output: Output) -> Result<(), Failure> {
        if self.wait {
            return follow(&self.id, client, output).await;
        }
        let method = if self.cancel { Method::DELETE } else { Method::GET };
        let answer = client.send(method, &path(&self.id), None).await?;
        told(answer.raw()?, output)
    }
}

/// Waits for an operation to end; one that failed is a problem found.
pub(crate) async fn follow(id: &str, client: &Client, output: Output) -> Result<(), Failure> {
    let mut progress = Progress::new("done", None);
    loop {
        let raw: Box<RawValue> = client.get(&path(id)).await?;
        let operation = read(&raw)?;
        if operation.state != "running" {
            progress.end();
            told(&raw, output)?;
            return match operation.state.as_str() {
                "done" => Ok(()),
                state => {
                    let why = operation.error.map(|error| format!(": {}", printable(&error))).unwrap_or_default();
                    Err(Failure::new(Exit::Problems, "operation", format!("the operation {state}{why}")))
                }
            };
        }
        progress.at(operation.done);
        tokio::time::sleep(EVERY).await;
    }
}

fn path(id: &str) -> String {
    format!("/api/operations/{}", encoded(id))
}

fn read(raw: &RawValue) -> Result<Operation, Failure> {
    serde_json::from_str(raw.get()).map_err(|error| Failure::refused("no_busway", error.to_string()))
}

fn told(raw: &RawValue, output: Output) -> Result<(), Failure> {
    if output.json {
        return output.raw(raw);
    }
    let Operation { id, kind, state, done, total, error } = read(raw)?;
    let why = error.map(|error| format!(": {}", printable(&error))).unwrap_or_default();
    output.line(format!("{kind} {state}, {} of {}{why}  {id}", count(done), count(total)))
}
