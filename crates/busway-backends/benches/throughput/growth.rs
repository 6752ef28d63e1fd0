//! Whether an event costs more as the log grows.

use std::{path::Path, time::Instant};

use busway_core::Start;

use crate::{
    bus::Bus,
    events, store,
    table::{Figures, row},
};

const SMALL: usize = 100_000;
const LARGE: usize = 5_000_000;
/// Events of one round, published and then delivered.
const SOME: usize = 100_000;
const BATCH: usize = 1_000;
const PUBLISHERS: usize = 8;

/// How many events a second at one size of the log.
struct Rates {
    publish: Figures,
    deliver: Figures,
}

/// A large log that stays beside a small one that is made anew each round.
pub(crate) async fn measure(folder: &Path, rounds: usize) {
    let large = store::sqlite(&folder.join("large.db")).await;
    publish(&large, LARGE).await;
    let (mut at_large, mut at_small) = (Rates::new(), Rates::new());
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds} on a large log and a small one");
        let small = store::sqlite(&folder.join(format!("small-{round}.db"))).await;
        publish(&small, SMALL).await;
        at_small.round(&small).await;
        at_large.round(&large).await;
        small.close().await;
    }
    large.close().await;
    let beside = "the log having 100,000";
    let what = "SQLite, published, the log having 5,000,000";
    row(what, &at_large.publish, Some((beside, &at_small.publish)), 0.9..);
    let what = "SQLite, delivered from a backlog, the log having 5,000,000";
    row(what, &at_large.deliver, Some((beside, &at_small.deliver)), 0.9..);
}

impl Rates {
    fn new() -> Self {
        Self { publish: Figures::new("/s"), deliver: Figures::new("/s") }
    }

    async fn round(&mut self, bus: &Bus) {
        bus.define("late", Start::Latest).await;
        self.publish.add(publish(bus, SOME).await);
        let took = bus.deliver(&["late"], Start::Latest, SOME).await;
        self.deliver.add(SOME as f64 / took.as_secs_f64());
    }
}

/// Returns how many a second.
async fn publish(bus: &Bus, count: usize) -> f64 {
    let mut took = 0.0;
    for part in (0..count).step_by(SOME).map(|from| SOME.min(count - from)) {
        let mut events = events::new(part);
        let batches = (0..part.div_ceil(BATCH)).map(|_| events.by_ref().take(BATCH).collect()).collect();
        let begun = Instant::now();
        bus.publish(batches, PUBLISHERS).await;
        took += begun.elapsed().as_secs_f64();
    }
    count as f64 / took
}
