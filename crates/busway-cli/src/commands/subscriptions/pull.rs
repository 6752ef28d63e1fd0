use std::time::Duration;

use clap::Args;
use hyper::Method;
use serde_json::{json, value::RawValue};

use super::{name::Name, settle};
use crate::{
    failure::Failure,
    http::Client,
    output::{Output, compact},
    span::Span,
    table::{figures, table, words},
    text::{counted, millis_until, printable},
    wire::{Delivery, Pulled},
};

/// What `pull` takes.
#[derive(Debug, Args)]
pub(super) struct Pull {
    #[command(flatten)]
    name: Name,
    /// At most so many, 1 to 1,000
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10)]
    max: u64,
    /// Wait this long for the first, 30s at most
    #[arg(short, long, value_name = "TIME", default_value = "0s")]
    wait: Span,
    /// Acknowledge them once they are shown
    #[arg(long)]
    ack: bool,
}

impl Pull {
    pub(super) async fn run(&self, client: &Client, output: Output) -> Result<(), Failure> {
        let body = json!({ "max": self.max, "waitMs": self.wait.as_millis() }).to_string();
        let answer = self.name.call(client, Method::POST, &self.name.path("/pull", &[]), Some(body.into())).await?;
        let pulled: Pulled<Box<RawValue>> = answer.json()?;
        show(&pulled.deliveries, output)?;
        if self.ack && !pulled.deliveries.is_empty() {
            let ids = deliveries(&pulled.deliveries).into_iter().map(|delivery| delivery.delivery_id).collect();
            let results =
                settle::send(&self.name, client, &settle::Settlements { ack: ids, ..Default::default() }).await?;
            let settled = results.iter().filter(|result| result.status == "settled").count();
            eprintln!("acknowledged {}", counted(settled as u64, "delivery", "deliveries"));
        }
        Ok(())
    }
}

fn deliveries(items: &[Box<RawValue>]) -> Vec<Delivery> {
    items.iter().filter_map(|item| serde_json::from_str(item.get()).ok()).collect()
}

fn show(items: &[Box<RawValue>], output: Output) -> Result<(), Failure> {
    if output.json {
        return items.iter().try_for_each(|item| output.raw(item));
    }
    if items.is_empty() {
        eprintln!("nothing is due");
        return Ok(());
    }
    let rows = deliveries(items).into_iter().map(|delivery| {
        let lease = millis_until(&delivery.lease_ends_at).unwrap_or(0).max(0).unsigned_abs();
        let key = delivery.event.key.as_deref().map_or_else(|| "-".into(), printable);
        vec![
            delivery.delivery_id,
            delivery.attempt.to_string(),
            Span(Duration::from_millis(lease)).to_string(),
            delivery.event.event_type,
            delivery.event.tenant_id,
            key,
            printable(&compact(delivery.event.payload.get())),
        ]
    });
    let mut columns = vec![words("DELIVERY"), figures("ATTEMPT"), figures("LEASE")];
    columns.extend(["TYPE", "TENANT", "KEY", "PAYLOAD"].map(words));
    output.line(table(&columns, rows))
}
