//! Handlers that work, fail, hang, run long or kill their process, as the seed has it, and note everything.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use busway_core::{Clock, ManualClock};
use busway_engine::{
    BoxFuture, Delivery, Handler, Outcome,
    conformance::{Ended, History, Record},
};

use super::flaky::{Gate, State};

/// What handlers do; shared by all processes of a world.
#[derive(Debug)]
pub(super) struct Manners {
    /// Of 1,000 runs: fail, fail for good, hang, run long.
    pub(super) chances: Mutex<[u64; 4]>,
    /// These kill their process whenever they run.
    pub(super) killers: BTreeSet<u64>,
    /// These fail whenever they run.
    pub(super) poison: BTreeSet<u64>,
    pub(super) runs: AtomicU64,
}

pub(super) struct Acting {
    pub(super) process: usize,
    pub(super) gate: Arc<Gate>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) history: History,
    pub(super) manners: Arc<Manners>,
    pub(super) keyed_by_type: bool,
    pub(super) unordered: bool,
}

/// Notes that a run was given up, if nothing else was noted.
struct Running {
    run: u64,
    history: History,
    clock: Arc<ManualClock>,
    gate: Arc<Gate>,
    noted: bool,
}

impl Running {
    fn end(&mut self, ended: Ended) {
        self.noted = true;
        self.history.note(self.clock.elapsed(), Record::Finished { run: self.run, ended });
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.noted && self.gate.state() != State::Dead {
            self.end(Ended::Dropped);
        }
    }
}

impl Acting {
    fn key(&self, delivery: &Delivery) -> Option<String> {
        let event = &delivery.event;
        match &event.key {
            _ if self.unordered => None,
            Some(key) => Some(format!("{}/{key}", event.tenant)),
            None if self.keyed_by_type => Some(format!("{}/:{}", event.tenant, event.event_type)),
            None => None,
        }
    }
}

pub(super) fn number(payload: &str) -> u64 {
    payload.trim_start_matches("{\"n\":").trim_end_matches('}').parse().unwrap()
}

impl Handler for Acting {
    fn handle(self: Arc<Self>, delivery: Delivery) -> BoxFuture<Outcome> {
        Box::pin(async move {
            if self.gate.state() == State::Dead {
                std::future::pending::<()>().await;
            }
            let event = number(delivery.event.payload.as_str());
            let run = self.manners.runs.fetch_add(1, Ordering::Relaxed);
            self.history.note(
                self.clock.elapsed(),
                Record::Started {
                    process: self.process,
                    subscription: delivery.subscription.to_string(),
                    event,
                    key: self.key(&delivery),
                    attempt: delivery.attempt,
                    replay: delivery.replay.is_some(),
                    run,
                },
            );
            let mut running = Running {
                run,
                history: self.history.clone(),
                clock: Arc::clone(&self.clock),
                gate: Arc::clone(&self.gate),
                noted: false,
            };
            let [fail, dead, hang, long] = *self.manners.chances.lock().unwrap();
            let fate = self.gate.chance(1_000);
            for _ in 0..self.gate.chance(3) {
                tokio::task::yield_now().await;
            }
            if self.manners.killers.contains(&event) {
                running.noted = true;
                self.gate.set(State::Dead);
                self.history.note(self.clock.elapsed(), Record::Killed { process: self.process, by: Some(event) });
            } else if fate >= 1_000 - long {
                self.clock.sleep(Duration::from_millis(500 + self.gate.chance(4_000))).await;
            } else if fate >= 1_000 - long - hang {
                std::future::pending::<()>().await;
            } else if self.gate.chance(3) == 0 {
                self.clock.sleep(Duration::from_millis(self.gate.chance(300))).await;
            }
            // What a stopped process does happens when it goes on, and what a dead one does never.
            self.gate.pass().await;
            if fate < dead {
                running.end(Ended::Dead);
                return Outcome::Dead { error: "beyond help".into() };
            }
            if fate < dead + fail || self.manners.poison.contains(&event) {
                running.end(Ended::Retry);
                return Outcome::Retry { delay: None, error: "not yet".into() };
            }
            running.end(Ended::Ack);
            Outcome::Done
        })
    }
}
