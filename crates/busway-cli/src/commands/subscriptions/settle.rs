use clap::Args;
use hyper::Method;
use serde::Serialize;

use super::name::Name;
use crate::{
    failure::Failure,
    http::Client,
    output::Output,
    span::Span,
    wire::{SettleResult, SettleResults},
};

/// What `settle` takes.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("outcome").required(true).multiple(true))]
pub(super) struct Settle {
    #[command(flatten)]
    name: Name,
    /// It was handled; may be repeated, as all of these
    #[arg(long, value_name = "DELIVERY", group = "outcome")]
    ack: Vec<String>,
    /// It failed and is to be tried again
    #[arg(long, value_name = "DELIVERY", group = "outcome")]
    retry: Vec<String>,
    /// It failed and no further try can help
    #[arg(long, value_name = "DELIVERY", group = "outcome")]
    dead: Vec<String>,
    /// It needs longer: see --by
    #[arg(long, value_name = "DELIVERY", group = "outcome", requires = "by")]
    extend: Vec<String>,
    /// Why, with --retry and --dead
    #[arg(long, value_name = "TEXT")]
    error: Option<String>,
    /// Try again after this time, with --retry [default: by the subscription's policy]
    #[arg(long, value_name = "TIME", requires = "retry")]
    delay: Option<Span>,
    /// From now on this long, with --extend
    #[arg(long, value_name = "TIME", requires = "extend")]
    by: Option<Span>,
}

/// What a settlement says.
#[derive(Debug, Default, Serialize)]
pub(super) struct Settlements {
    pub(crate) ack: Vec<String>,
    pub(crate) retry: Vec<Failed>,
    pub(crate) dead: Vec<Failed>,
    pub(crate) extend: Vec<Longer>,
}

/// A delivery that failed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Failed {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    delay_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// A delivery that needs longer.
#[derive(Debug, Serialize)]
pub(super) struct Longer {
    id: String,
    ms: u64,
}

impl Settle {
    pub(super) async fn run(&self, client: &Client, output: Output) -> Result<(), Failure> {
        let results = send(&self.name, client, &self.settlements()).await?;
        for result in &results {
            if output.json {
                output.value(&serde_json::json!({ "id": result.id, "status": result.status }))?;
            } else {
                output.line(format!("{} {}", result.status, result.id))?;
            }
        }
        let stale = results.iter().filter(|result| result.status == "stale").count();
        if stale == 0 {
            return Ok(());
        }
        let headline = format!("{stale} of {} no longer yours: settled before, or the lease has ended", results.len());
        Err(Failure::refused("stale", headline))
    }

    fn settlements(&self) -> Settlements {
        let failed = |ids: &[String], delay: Option<Span>| {
            let failed = |id: &String| Failed {
                id: id.clone(),
                delay_ms: delay.map(Span::as_millis),
                error: self.error.clone(),
            };
            ids.iter().map(failed).collect()
        };
        let by = self.by.map_or(0, Span::as_millis);
        Settlements {
            ack: self.ack.clone(),
            retry: failed(&self.retry, self.delay),
            dead: failed(&self.dead, None),
            extend: self.extend.iter().map(|id| Longer { id: id.clone(), ms: by }).collect(),
        }
    }
}

/// Settles, and tells what became of each.
pub(super) async fn send(
    name: &Name,
    client: &Client,
    settlements: &Settlements,
) -> Result<Vec<SettleResult>, Failure> {
    let body = serde_json::to_vec(settlements).map_err(std::io::Error::from)?;
    let answer = name.call(client, Method::POST, &name.path("/settle", &[]), Some(body.into())).await?;
    Ok(answer.json::<SettleResults>()?.results)
}
