//! `busway bench`.

mod echo;
mod figures;
mod publish;
mod pull;
mod tally;

use std::{fmt, sync::Arc};

use clap::{Args, ValueEnum};
use hyper::Method;
use serde::Serialize;
use serde_json::json;

use crate::{
    failure::{Exit, Failure},
    http::Client,
    output::Output,
    signals::Signals,
    text::{count, counted},
};

use figures::Figures;
use tally::{Tally, Verdict};

/// The tenant and the type of what is published.
const TENANT: &str = "bench";
const TYPE: &str = "bench.tick";

/// Measure a server, and count what it loses.
#[derive(Debug, Args)]
#[command(after_help = "Its events go under the tenant `bench` and stay; its subscription is removed at the end.
Exit code 5 if something was lost or out of order.")]
pub(crate) struct Bench {
    /// How many events
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    events: u64,
    /// How many publish at once, each waiting for its answer
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    publishers: u64,
    /// Bytes of a payload, about
    #[arg(long, value_name = "BYTES", default_value_t = 200, value_parser = clap::value_parser!(u64).range(..=200_000))]
    payload: u64,
    /// Who reads them
    #[arg(long, value_enum, default_value_t = Reader::Pull)]
    subscription: Reader,
    /// Events of one call
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    batch: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Reader {
    /// One that pulls and settles
    Pull,
    /// Nobody: publishing alone
    None,
}

/// What a run has in common.
#[derive(Debug)]
struct Run {
    client: Client,
    id: String,
    publishers: u64,
    batch: u64,
    events: u64,
    padding: String,
}

/// What was measured.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Measured {
    events: u64,
    publishers: u64,
    payload_bytes: u64,
    batch: u64,
    publish: Figures,
    #[serde(flatten)]
    reading: Option<Reading>,
}

/// What was measured of the reader.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Reading {
    pull: Figures,
    end_to_end: Figures,
    #[serde(flatten)]
    verdict: Verdict,
}

impl Bench {
    /// Publishes, reads, compares, and removes what it made, also when a signal ends it.
    pub(crate) async fn run(&self, client: &Client, output: Output) -> Result<(), Failure> {
        let id = uuid::Uuid::new_v4().simple().to_string();
        let run = Arc::new(Run {
            client: client.clone(),
            id,
            publishers: self.publishers.min(self.events),
            batch: self.batch,
            events: self.events,
            padding: "x".repeat(usize::try_from(self.payload).unwrap_or(0).saturating_sub(70)),
        });
        if self.subscription == Reader::Pull {
            run.subscribe().await?;
        }
        let mut signals = Signals::listen()?;
        let measured = tokio::select! {
            measured = self.measure(&run) => measured,
            code = signals.next() => Err(Failure::ended_by_signal(code)),
        };
        if self.subscription == Reader::Pull {
            run.unsubscribe().await?;
        }
        self.tell(&measured?, output)
    }

    async fn measure(&self, run: &Arc<Run>) -> Result<Measured, Failure> {
        let publish = publish::all(run).await?;
        let reading = match self.subscription {
            Reader::None => None,
            Reader::Pull => {
                let mut tally = Tally::of(run);
                let pull = pull::all(run, &mut tally).await?;
                let verdict = tally.verdict();
                Some(Reading { pull, end_to_end: echo::measure(run).await?, verdict })
            }
        };
        let Self { events, publishers, payload: payload_bytes, batch, .. } = *self;
        Ok(Measured { events, publishers, payload_bytes, batch, publish, reading })
    }

    fn tell(&self, measured: &Measured, output: Output) -> Result<(), Failure> {
        match output.json {
            true => output.value(measured)?,
            false => output.line(measured)?,
        }
        match &measured.reading {
            Some(Reading { verdict, .. }) if !verdict.is_well() => {
                Err(Failure::new(Exit::Problems, "bench", "events were lost or out of order"))
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { publish, reading, .. } = self;
        let (events, publishers) =
            (counted(self.events, "event", "events"), counted(self.publishers, "publisher", "publishers"));
        writeln!(
            f,
            "{events} of {} bytes, {publishers}, {} a call, each call awaited",
            count(self.payload_bytes),
            count(self.batch)
        )?;
        write!(f, "publish        {publish}")?;
        if let Some(Reading { pull, end_to_end, verdict }) = reading {
            write!(f, "\npull, settle   {pull}")?;
            write!(f, "\nend to end     {}    one at a time, from publish to pull", end_to_end.latency())?;
            write!(f, "\n{verdict}    by the publishers' own list")?;
        }
        Ok(())
    }
}

impl Run {
    /// The subscription's name.
    fn name(&self) -> String {
        format!("bench-{}", self.id)
    }

    fn path(&self, below: &str) -> String {
        format!("/api/subscriptions/{}{below}", self.name())
    }

    async fn subscribe(&self) -> Result<(), Failure> {
        // Should this process be killed, the subscription goes by itself.
        let body = json!({ "types": [TYPE], "mode": "pull", "start": "latest", "expireAfterMs": 600_000 }).to_string();
        self.client.send(Method::PUT, &self.path(""), Some(body.into())).await.map(|_| ())
    }

    async fn unsubscribe(&self) -> Result<(), Failure> {
        self.client.send(Method::DELETE, &self.path(""), None).await.map(|_| ())
    }
}
