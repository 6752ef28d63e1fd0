//! Whether an event costs more as the log grows.

use std::{path::Path, time::Instant};

use busway_core::Start;

use crate::{
    bus::Bus,
    events,
    table::{Figures, row},
};

const SMALL: usize = 100_000;
const LARGE: usize = 5_000_000;
/// Events of one round, published and then delivered.
const SOME: usize = 20_000;
const BATCH: usize = 1_000;
const PUBLISHERS: usize = 8;

/// What an event costs at one size of the log.
struct Cost {
    publish: Figures,
    deliver: Figures,
}

pub(crate) async fn measure(file: &Path, rounds: usize) {
    let bus = Bus::sqlite(file).await;
    let small = at(&bus, SMALL, rounds).await;
    let large = at(&bus, LARGE, rounds).await;
    bus.close().await;
    for (what, large, small) in
        [("published", large.publish, small.publish), ("delivered from a backlog", large.deliver, small.deliver)]
    {
        let what = format!("SQLite, events {what}, the log having 5,000,000");
        row(&what, &large, Some(("the log having 100,000", &small)), 0.9..);
    }
}

/// Fills the log up to this size, then publishes and delivers a little more, again and again.
async fn at(bus: &Bus, size: usize, rounds: usize) -> Cost {
    let stored = bus.engine.stores().log.heads().await.unwrap().seqs.iter().sum::<u64>() as usize;
    let mut left = size - stored;
    while left > 0 {
        let some = left.min(SMALL);
        publish(bus, some).await;
        left -= some;
    }
    let mut cost = Cost { publish: Figures::new("/s"), deliver: Figures::new("/s") };
    for _ in 0..rounds {
        bus.define("late", Start::Latest).await;
        cost.publish.add(publish(bus, SOME).await);
        let took = bus.deliver(&["late"], Start::Latest, SOME).await;
        cost.deliver.add(SOME as f64 / took.as_secs_f64());
    }
    cost
}

/// Returns how many a second.
async fn publish(bus: &Bus, count: usize) -> f64 {
    let mut events = events::new(count);
    let batches = (0..count.div_ceil(BATCH)).map(|_| events.by_ref().take(BATCH).collect()).collect();
    let begun = Instant::now();
    bus.publish(batches, PUBLISHERS).await;
    count as f64 / begun.elapsed().as_secs_f64()
}
