use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::{
    commands::{
        bench::Bench, completions::Completions, dead_letters::DeadLetters, doctor::Doctor, events::Events,
        migrate::Migrate, operations::Operations, publish::Publish, subscriptions::Subscriptions, tail::Tail,
    },
    serve::Serve,
};

/// An event bus for applications with many tenants.
#[derive(Debug, Parser)]
#[command(name = "busway", version, arg_required_else_help = true, propagate_version = true)]
#[command(after_help = "Exit codes: 0 done, 1 refused, 2 usage, 3 unreachable, 4 forbidden, 5 problems found.")]
pub(crate) struct Arguments {
    /// What is done.
    #[command(subcommand)]
    pub(crate) command: Command,
    /// What every command takes.
    #[command(flatten)]
    pub(crate) shared: Shared,
}

/// What every command takes.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct Shared {
    /// The server to talk to [default: the one that runs on the data folder; without one, the store in that
    /// folder itself; without that, http://127.0.0.1:2870]
    #[arg(long, global = true, value_name = "URL", env = "BUSWAY_URL")]
    pub(crate) server: Option<String>,
    /// The folder for data
    #[arg(long, global = true, value_name = "FOLDER", env = "BUSWAY_DATA", default_value = "./busway-data")]
    pub(crate) data: PathBuf,
    /// The configuration [default: ./busway.toml, if it is there]
    #[arg(long, global = true, value_name = "FILE", env = "BUSWAY_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Data as JSON, one object a line
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// What is done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server
    Serve(Serve),
    /// Publish an event, or many from a file
    Publish(Publish),
    /// Show events as they arrive
    Tail(Tail),
    /// List stored events, or tell what became of one
    Events(Events),
    /// List subscriptions, make, change, pull from and settle them
    #[command(alias = "subs")]
    Subscriptions(Subscriptions),
    /// List what failed for good; retry, edit or discard it
    DeadLetters(DeadLetters),
    /// Tell how far a replay or a bulk retry is
    Operations(Operations),
    /// Tell what is wrong, or will be, and the way out
    Doctor(Doctor),
    /// Bring the store's schema to this version, or show the SQL that would
    Migrate(Migrate),
    /// Measure a server, and count what it loses
    Bench(Bench),
    /// Print completions for a shell
    Completions(Completions),
}
