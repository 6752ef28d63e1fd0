//! `busway subscriptions`.

mod control;
mod list;
mod name;
mod pull;
mod put;
mod settle;

use clap::{Args, Subcommand};

use crate::{failure::Failure, http::Client, output::Output};

/// List subscriptions, make, change, pull from and settle them.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "Examples:
  busway subscriptions --watch
  busway subscriptions put crm 'ticket.*' '!ticket.viewed' --start earliest
  busway subscriptions pull crm --max 10
  busway subscriptions settle crm --ack ID --retry ID --error '503 from crm'")]
pub(crate) struct Subscriptions {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    list: list::List,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List them: how far behind, what is held, what is dead
    List(list::List),
    /// Show one, with its whole definition
    Show(control::Show),
    /// Make one that is pulled from, or change it
    Put(put::Put),
    /// Take deliveries, to be settled within their lease
    Pull(pull::Pull),
    /// Say what became of deliveries
    Settle(settle::Settle),
    /// Stop handing out
    Pause(control::Pause),
    /// Hand out again
    Resume(control::Resume),
    /// Go on from another place
    Seek(control::Seek),
    /// Deliver stored events once more, to this subscription alone
    Replay(control::Replay),
    /// Remove one, and its dead letters
    Remove(control::Remove),
}

impl Subscriptions {
    /// Does what its verb says; lists without one.
    pub(crate) async fn run(&self, client: &Client, output: Output) -> Result<(), Failure> {
        match self.verb.as_ref() {
            None => self.list.run(client, output).await,
            Some(Verb::List(list)) => list.run(client, output).await,
            Some(Verb::Show(show)) => show.run(client, output).await,
            Some(Verb::Put(put)) => put.run(client, output).await,
            Some(Verb::Pull(pull)) => pull.run(client, output).await,
            Some(Verb::Settle(settle)) => settle.run(client, output).await,
            Some(Verb::Pause(pause)) => pause.run(client, output).await,
            Some(Verb::Resume(resume)) => resume.run(client, output).await,
            Some(Verb::Seek(seek)) => seek.run(client, output).await,
            Some(Verb::Replay(replay)) => replay.run(client, output).await,
            Some(Verb::Remove(remove)) => remove.run(client, output).await,
        }
    }
}
