//! Publishing and delivering in memory.

use std::{
    process::{Command, Stdio},
    time::Instant,
};

use busway_core::{NewEvent, Start};

use crate::{
    events, store,
    table::{Figures, row},
};

const EVENTS: usize = 1_000_000;
const BATCH: usize = 1_000;
const PUBLISHERS: usize = 4;

/// What a process is told that is to go one round alone.
pub(crate) const ALONE: &str = "memory-alone";

pub(crate) struct InMemory(Figures);

impl InMemory {
    pub(crate) fn new() -> Self {
        Self(Figures::new("/s"))
    }

    /// One round in a process of its own, so that no allocator has to cope with what an earlier one has left.
    pub(crate) fn round(&mut self) {
        let mut alone = Command::new(std::env::current_exe().unwrap());
        let measured = alone.arg(ALONE).stderr(Stdio::inherit()).output().unwrap();
        assert!(measured.status.success());
        self.0.add(String::from_utf8(measured.stdout).unwrap().trim().parse().unwrap());
    }

    pub(crate) fn print(&self) {
        let what = "memory, published 1,000 a call and delivered to one subscription";
        row(what, &self.0, None, 1_000_000.0..);
    }
}

/// Prints how many events a second are published and delivered.
pub(crate) async fn alone() {
    let bus = store::memory().await;
    let mut events = events::new(EVENTS);
    let batches: Vec<Vec<NewEvent>> = (0..EVENTS / BATCH).map(|_| events.by_ref().take(BATCH).collect()).collect();
    bus.subscribe("one", Start::Latest).await;
    let begun = Instant::now();
    bus.publish(batches, PUBLISHERS).await;
    bus.engine.idle().await.unwrap();
    let took = begun.elapsed();
    assert_eq!(bus.delivered("one").await, EVENTS as u64);
    println!("{}", EVENTS as f64 / took.as_secs_f64());
    bus.close().await;
}
