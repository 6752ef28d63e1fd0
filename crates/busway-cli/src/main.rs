//! The binary `busway`: the server, and the commands that talk to it.

mod address_file;
mod arguments;
mod commands;
mod config;
mod embedded;
mod event_id;
mod event_line;
mod failure;
mod http;
mod logging;
mod nearest;
mod node;
mod output;
mod progress;
mod reach;
mod report;
mod serve;
mod signals;
mod span;
mod store;
mod table;
mod text;
mod wire;

use std::{process::ExitCode, time::Instant};

use clap::Parser;
use tokio::runtime::Builder;

use arguments::{Arguments, Command, Shared};
use failure::Failure;
use http::Client;
use output::Output;
use reach::Reach;
use signals::Signals;

fn main() -> ExitCode {
    let started = Instant::now();
    let Arguments { command, shared } = Arguments::parse();
    let runtime = match Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return told(Err(error.into())),
    };
    let done = runtime.block_on(run(&command, &shared, started));
    // What still waits, like a read of standard input, must not hold the process up.
    runtime.shutdown_background();
    told(done)
}

async fn run(command: &Command, shared: &Shared, started: Instant) -> Result<(), Failure> {
    match command {
        Command::Serve(serve) => return serve.run(shared, started).await,
        Command::Completions(completions) => return completions.run(),
        Command::Migrate(migrate) => return migrate.run(shared).await,
        _ => {}
    }
    let reach = Reach::find(shared).await?;
    let output = Output { json: shared.json };
    // The bench takes away what it has made before it ends.
    let done = if reach.is_embedded() && !matches!(command, Command::Bench(_)) {
        let mut signals = Signals::listen()?;
        tokio::select! {
            done = talk(command, &reach.client, output) => done,
            code = signals.next() => Err(Failure::ended_by_signal(code)),
        }
    } else {
        talk(command, &reach.client, output).await
    };
    reach.close().await;
    done
}

async fn talk(command: &Command, client: &Client, output: Output) -> Result<(), Failure> {
    match command {
        Command::Publish(publish) => publish.run(client, output).await,
        Command::Tail(tail) => tail.run(client, output).await,
        Command::Events(events) => events.run(client, output).await,
        Command::Subscriptions(subscriptions) => subscriptions.run(client, output).await,
        Command::DeadLetters(dead_letters) => dead_letters.run(client, output).await,
        Command::Operations(operations) => operations.run(client, output).await,
        Command::Doctor(doctor) => doctor.run(client, output).await,
        Command::Bench(bench) => bench.run(client, output).await,
        Command::Serve(_) | Command::Completions(_) | Command::Migrate(_) => Ok(()),
    }
}

fn told(done: Result<(), Failure>) -> ExitCode {
    let Err(failure) = done else { return ExitCode::SUCCESS };
    if !failure.is_silent() {
        eprintln!("{failure}");
    }
    ExitCode::from(failure.exit_code())
}
