use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde::Serialize;
use tokio::task::JoinSet;

use super::{
    Run, TENANT, TYPE,
    figures::{Calls, Figures},
    tally::Tick,
};
use crate::{failure::Failure, progress::Progress};

/// How often the progress is looked at.
const EVERY: Duration = Duration::from_millis(100);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewEvent<'a> {
    id: uuid::Uuid,
    #[serde(rename = "type")]
    event_type: &'a str,
    tenant_id: &'a str,
    key: String,
    payload: Tick<'a>,
}

impl Run {
    /// How many events a publisher publishes.
    pub(super) fn share(&self, publisher: u64) -> u64 {
        self.events / self.publishers + u64::from(publisher < self.events % self.publishers)
    }

    /// Publishes events `from..to` of a publisher in one call.
    pub(super) async fn publish(&self, publisher: u64, from: u64, to: u64) -> Result<(), Failure> {
        let events: Vec<_> = (from..to)
            .map(|n| {
                let payload = Tick { run: &self.id, publisher, n, padding: &self.padding };
                NewEvent { id: uuid::Uuid::now_v7(), event_type: TYPE, tenant_id: TENANT, key: payload.key(), payload }
            })
            .collect();
        let body = match events.as_slice() {
            [one] => serde_json::to_vec(one),
            many => serde_json::to_vec(many),
        };
        self.client.post("/api/events", body.map_err(std::io::Error::from)?).await.map(|_| ())
    }
}

/// Publishes everything, each publisher one call after the other.
pub(super) async fn all(run: &Arc<Run>) -> Result<Figures, Failure> {
    let done = Arc::new(AtomicU64::new(0));
    let started = Instant::now();
    let mut publishers = JoinSet::new();
    for publisher in 0..run.publishers {
        publishers.spawn(one(Arc::clone(run), publisher, Arc::clone(&done)));
    }
    let mut progress = Progress::new("published", Some(run.events));
    let mut calls = Calls::new();
    loop {
        tokio::select! {
            ended = publishers.join_next() => match ended {
                None => break,
                Some(Ok(took)) => calls.add(&took?),
                Some(Err(error)) => return Err(Failure::refused("internal", error.to_string())),
            },
            () = tokio::time::sleep(EVERY) => progress.at(done.load(Ordering::Relaxed)),
        }
    }
    progress.end();
    Ok(Figures::new(run.events, started.elapsed(), &calls))
}

async fn one(run: Arc<Run>, publisher: u64, done: Arc<AtomicU64>) -> Result<Calls, Failure> {
    let (mut calls, share, mut next) = (Calls::new(), run.share(publisher), 0);
    while next < share {
        let (begun, to) = (Instant::now(), share.min(next + run.batch));
        run.publish(publisher, next, to).await?;
        calls.took(begun.elapsed());
        done.fetch_add(to - next, Ordering::Relaxed);
        next = to;
    }
    Ok(calls)
}
