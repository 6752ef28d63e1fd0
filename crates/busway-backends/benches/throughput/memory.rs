//! Publishing and delivering in memory.

use std::time::Instant;

use busway_core::{NewEvent, Start};

use crate::{
    bus::Bus,
    events,
    table::{Figures, row},
};

const EVENTS: usize = 1_000_000;
const BATCH: usize = 1_000;
const PUBLISHERS: usize = 4;

pub(crate) struct InMemory(Figures);

impl InMemory {
    pub(crate) fn new() -> Self {
        Self(Figures::new("/s"))
    }

    pub(crate) async fn round(&mut self) {
        let bus = Bus::memory().await;
        let mut events = events::new(EVENTS);
        let batches: Vec<Vec<NewEvent>> = (0..EVENTS / BATCH).map(|_| events.by_ref().take(BATCH).collect()).collect();
        bus.subscribe("one", Start::Latest).await;
        let begun = Instant::now();
        bus.publish(batches, PUBLISHERS).await;
        bus.engine.idle().await.unwrap();
        let took = begun.elapsed();
        assert_eq!(bus.delivered("one").await, EVENTS as u64);
        self.0.add(EVENTS as f64 / took.as_secs_f64());
        bus.close().await;
    }

    pub(crate) fn print(&self) {
        let what = "memory, published 1,000 a call and delivered to one subscription";
        row(what, &self.0, None, 1_000_000.0..);
    }
}
