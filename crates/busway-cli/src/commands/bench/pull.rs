use std::time::{Duration, Instant};

use serde_json::json;

use super::{
    Run,
    figures::{Calls, Figures},
    tally::Tally,
};
use crate::{
    failure::Failure,
    progress::Progress,
    wire::{Delivery, Pulled},
};

/// Without anything new for this long, what has not arrived is lost.
const PATIENCE: Duration = Duration::from_secs(20);

impl Run {
    /// Waits for deliveries.
    pub(super) async fn pull(&self, max: u64, wait_ms: u64) -> Result<Vec<Delivery>, Failure> {
        let body = json!({ "max": max, "waitMs": wait_ms }).to_string();
        let pulled: Pulled<Delivery> = self.client.post(&self.path("/pull"), body).await?.json()?;
        Ok(pulled.deliveries)
    }

    /// Acknowledges deliveries.
    pub(super) async fn settle(&self, deliveries: &[Delivery]) -> Result<(), Failure> {
        let ids: Vec<&str> = deliveries.iter().map(|delivery| delivery.delivery_id.as_str()).collect();
        self.client.post(&self.path("/settle"), json!({ "ack": ids }).to_string()).await.map(|_| ())
    }
}

/// Pulls and settles until everything has arrived, or nothing comes any more.
pub(super) async fn all(run: &Run, tally: &mut Tally) -> Result<Figures, Failure> {
    let mut progress = Progress::new("settled", Some(run.events));
    let (mut calls, mut settled) = (Calls::new(), 0);
    let started = Instant::now();
    let mut last = started;
    while tally.left() > 0 && last.elapsed() < PATIENCE {
        let begun = Instant::now();
        let deliveries = run.pull(1_000, 1_000).await?;
        if deliveries.is_empty() {
            continue;
        }
        run.settle(&deliveries).await?;
        last = Instant::now();
        calls.took(begun.elapsed());
        deliveries.iter().for_each(|delivery| tally.arrived(delivery.event.payload.get()));
        settled += deliveries.len() as u64;
        progress.at(settled);
    }
    progress.end();
    Ok(Figures::new(settled, last - started, &calls))
}
