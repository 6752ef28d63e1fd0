//! `busway dead-letters`.

mod chosen;
mod decide;
mod edit;
mod list;
mod show;

use clap::{Args, Subcommand};

use crate::{failure::Failure, http::Client, output::Output};

/// List what failed for good; retry, edit or discard it.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "Examples:
  busway dead-letters --subscription chat
  busway dead-letters retry 7
  busway dead-letters edit 7 '{\"room\":\"general\"}'
  busway dead-letters retry --all --subscription chat --wait")]
pub(crate) struct DeadLetters {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    list: list::List,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List them, oldest first
    List(list::List),
    /// Show one whole
    Show(show::Show),
    /// Deliver again, attempts from 1
    Retry(decide::Retry),
    /// Remove for good
    Discard(decide::Discard),
    /// Set the payload that a retry delivers; the event itself stays
    Edit(edit::Edit),
}

impl DeadLetters {
    /// Does what its verb says; lists without one.
    pub(crate) async fn run(&self, client: &Client, output: Output) -> Result<(), Failure> {
        match &self.verb {
            None => self.list.run(client, output).await,
            Some(Verb::List(list)) => list.run(client, output).await,
            Some(Verb::Show(show)) => show.run(client, output).await,
            Some(Verb::Retry(retry)) => retry.run(client, output).await,
            Some(Verb::Discard(discard)) => discard.run(client, output).await,
            Some(Verb::Edit(edit)) => edit.run(client, output).await,
        }
    }
}
