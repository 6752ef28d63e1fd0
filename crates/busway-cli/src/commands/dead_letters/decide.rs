use clap::Args;
use hyper::Method;
use serde_json::json;

use super::chosen::{Chosen, path};
use crate::{commands::operations::follow, failure::Failure, http::Client, output::Output, wire::Begun};

/// What `retry` takes.
#[derive(Debug, Args)]
pub(super) struct Retry {
    #[command(flatten)]
    chosen: Chosen,
}

/// What `discard` takes.
#[derive(Debug, Args)]
pub(super) struct Discard {
    #[command(flatten)]
    chosen: Chosen,
}

impl Retry {
    pub(super) async fn run(&self, client: &Client, output: Output) -> Result<(), Failure> {
        decide(&self.chosen, "retry", "retrying", client, output).await
    }
}

impl Discard {
    pub(super) async fn run(&self, client: &Client, output: Output) -> Result<(), Failure> {
        decide(&self.chosen, "discard", "discarded", client, output).await
    }
}

async fn decide(chosen: &Chosen, verb: &str, done: &str, client: &Client, output: Output) -> Result<(), Failure> {
    if chosen.all {
        let answer = client.post(&format!("/api/dead-letters/{verb}"), chosen.filter.body()?).await?;
        let begun: Begun = answer.json()?;
        return match (chosen.wait, output.json) {
            (true, _) => follow(&begun.operation, client, output).await,
            (false, true) => output.raw(answer.raw()?),
            (false, false) => output.line(format!("begun: busway operations {}", begun.operation)),
        };
    }
    for id in &chosen.ids {
        client.send(Method::POST, &path(*id, &format!("/{verb}")), None).await?;
        match output.json {
            true => output.value(&json!({ "id": id.to_string(), "done": verb }))?,
            false => output.line(format!("{done} {id}"))?,
        }
    }
    Ok(())
}
