//! Publishing on SQLite, beside a raw loop over rusqlite that writes the same events into the same tables.
//!
//! Both go in turns of a fraction of a second, so that what else the disk does meets both alike.

use std::{
    ops::AddAssign,
    path::Path,
    time::{Duration, Instant},
};

use busway_core::NewEvent;
use busway_engine::Engine;
use tokio::task::JoinSet;

use crate::{
    events,
    raw::Loop,
    store,
    table::{Figures, row},
};

const PUBLISHERS: usize = 512;
/// Turns of each side in a round.
const TURNS: usize = 4;
/// Events of one turn.
const ALONE: usize = 200;
const TOGETHER: usize = 40_000;
/// Events that the raw loop commits at once where it can choose.
const BATCH: usize = 1_000;

pub(crate) struct Publish {
    alone: Figures,
    alone_raw: Figures,
    pub(crate) together: Figures,
    raw: Figures,
    raw_alike: Figures,
    group: Figures,
}

/// Events stored and the time that took.
#[derive(Default)]
struct Pace(usize, Duration);

impl AddAssign<(usize, Duration)> for Pace {
    fn add_assign(&mut self, (events, took): (usize, Duration)) {
        self.0 += events;
        self.1 += took;
    }
}

impl Pace {
    fn per_second(&self) -> f64 {
        self.0 as f64 / self.1.as_secs_f64()
    }
}

impl Publish {
    pub(crate) fn new() -> Self {
        let figures = || Figures::new("/s");
        Self {
            alone: figures(),
            alone_raw: figures(),
            together: figures(),
            raw: figures(),
            raw_alike: figures(),
            group: Figures::new(""),
        }
    }

    /// Fills `file`, and files for the raw loop beside it.
    pub(crate) async fn round(&mut self, file: &Path) {
        let bus = store::sqlite(file).await;
        let mut raw = Vec::new();
        for name in ["raw.db", "alike.db"] {
            let file = file.with_file_name(name);
            store::sqlite(&file).await.close().await;
            raw.push(Loop::open(&file));
        }
        let mut paces: [Pace; 5] = Default::default();
        let [alone, alone_raw, together, in_batches, alike] = &mut paces;
        let mut commits = 0;
        for _ in 0..TURNS {
            let (made, took) = by_many(&bus.engine, TOGETHER).await;
            *together += (TOGETHER, took);
            commits += made;
            *in_batches += (TOGETHER, raw[0].timed(&events::stored(TOGETHER), BATCH));
            *alike += (TOGETHER, raw[1].timed(&events::stored(TOGETHER), TOGETHER / made));
            // Into files that are past their first growth, which costs more than all the rest.
            *alone += (ALONE, one_by_one(&bus.engine, ALONE).await);
            *alone_raw += (ALONE, raw[0].timed(&events::stored(ALONE), 1));
        }
        self.alone.add(alone.per_second());
        self.alone_raw.add(alone_raw.per_second());
        self.together.add(together.per_second());
        self.raw.add(in_batches.per_second());
        self.raw_alike.add(alike.per_second());
        self.group.add((TOGETHER * TURNS) as f64 / commits as f64);
        bus.close().await;
    }

    pub(crate) fn print(&self) {
        let Self { alone, alone_raw, together, raw, raw_alike, group } = self;
        let one = "SQLite, one publisher that awaits each event";
        row(one, alone, Some(("raw loop, a row a commit", alone_raw)), 0.8..);
        let many = format!("SQLite, {PUBLISHERS} publishers that await each event");
        row(&many, together, Some(("raw loop, 1,000 rows a commit", raw)), 0.5..);
        let alike = format!("raw loop, as many rows a commit as the engine's: {group}");
        row(&many, together, Some((alike.as_str(), raw_alike)), 0.7..);
    }
}

/// One task that awaits each event before the next.
async fn one_by_one(engine: &Engine, count: usize) -> Duration {
    let (engine, events): (_, Vec<NewEvent>) = (engine.clone(), events::new(count).collect());
    let publisher = tokio::spawn(async move {
        let start = Instant::now();
        for event in events {
            engine.publish(vec![event]).await.unwrap();
        }
        start.elapsed()
    });
    publisher.await.unwrap()
}

/// Many tasks that each await one event before the next; also returns how many commits that made.
async fn by_many(engine: &Engine, count: usize) -> (usize, Duration) {
    let mut events = events::new(count);
    let share = count.div_ceil(PUBLISHERS);
    let shares: Vec<Vec<NewEvent>> = (0..PUBLISHERS).map(|_| events.by_ref().take(share).collect()).collect();
    let mut wake = engine.stores().log.wake();
    let before = *wake.borrow_and_update();
    let start = Instant::now();
    let mut publishers = JoinSet::new();
    for share in shares {
        let engine = engine.clone();
        publishers.spawn(async move {
            for event in share {
                engine.publish(vec![event]).await.unwrap();
            }
        });
    }
    publishers.join_all().await;
    let took = start.elapsed();
    // Readers are woken once for each commit that appended.
    let commits = *wake.borrow() - before;
    (commits as usize, took)
}
