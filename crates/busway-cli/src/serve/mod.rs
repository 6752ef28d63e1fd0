//! `busway serve`.

mod address;
mod banner;

use std::{path::Path, time::Instant};

use busway_core::ErrorKind;
use busway_engine::ShutdownReport;
use clap::Args;

use crate::{
    address_file::ServerAddress,
    arguments::Shared,
    config::{self, Config, Source},
    failure::Failure,
    logging,
    node::Node,
    signals::Signals,
    text::counted,
};

/// Run the server.
#[derive(Debug, Args)]
#[command(after_help = "Every key of busway.toml, with its default and its variable: busway serve --print-defaults")]
pub(crate) struct Serve {
    /// Where to listen, like 127.0.0.1:2870 or :2871
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Print the commented default configuration and end
    #[arg(long)]
    print_defaults: bool,
}

impl Serve {
    /// Serves until a signal ends it; a second signal ends it at once.
    pub(crate) async fn run(&self, shared: &Shared, started: Instant) -> Result<(), Failure> {
        if self.print_defaults {
            print!("{}", config::DEFAULTS);
            return Ok(());
        }
        let flags = self.listen.iter().map(|listen| ("server.listen", listen.clone(), "--listen")).collect();
        let config = config::load(&Source { file: shared.config.clone(), flags })?;
        logging::start(&config.log.level)?;
        let mut signals = Signals::listen()?;
        let node = start(&config, &shared.data).await?;
        let mine = ServerAddress::of_this_process(node.address());
        tell_address(&mine, &shared.data).await?;
        banner::show(&node, started).await?;
        let report = node.run(async {
            signals.next().await;
            eprintln!("stopping: finishing what is in flight; once more ends at once");
            tokio::spawn(async move {
                let code = signals.next().await;
                eprintln!("ended at once");
                std::process::exit(code.into());
            });
        });
        let report = report.await;
        mine.remove(&shared.data)?;
        eprintln!("{}", stopped(report?));
        Ok(())
    }
}

async fn start(config: &Config, data: &Path) -> Result<Node, Failure> {
    let listen = config.server.listen.as_str();
    if let Some(failure) = address::held(listen).await {
        return Err(failure);
    }
    std::fs::create_dir_all(data).map_err(|error| {
        Failure::configuration(format!("the data folder {} cannot be made: {error}", data.display()))
    })?;
    match Node::start(config, data, listen).await {
        Err(error) if error.kind() == ErrorKind::AddressInUse => {
            Err(address::held(listen).await.unwrap_or_else(|| error.into()))
        }
        started => Ok(started?),
    }
}

/// Writes the address where commands look for it, unless another server on the same folder can be found there.
async fn tell_address(mine: &ServerAddress, data: &Path) -> Result<(), Failure> {
    if let Some(other) = address::running_on(data).await {
        eprintln!(
            "note: commands on {} go on talking to the server at {}, pid {}",
            data.display(),
            other.url,
            other.pid
        );
        return Ok(());
    }
    Ok(mine.write(data)?)
}

fn stopped(report: ShutdownReport) -> String {
    let finished = counted(report.finished, "delivery", "deliveries");
    match report {
        ShutdownReport { finished: 0, cancelled: 0 } => "stopped: nothing was in flight".into(),
        ShutdownReport { cancelled: 0, .. } => format!("stopped: {finished} finished, none handed back"),
        ShutdownReport { cancelled, .. } => format!("stopped: {finished} finished, {cancelled} handed back"),
    }
}
