//! Whether an event costs more as the log grows.

use busway_backends::postgres::{Config, Postgres};
use busway_core::{Seam, Start};
use std::time::Instant;
use tokio::task::JoinSet;

use crate::{
    database::Fresh,
    events,
    size::Size,
    table::{Figures, row},
};

/// Events of one round, published and then delivered.
const SOME: usize = 100_000;
const BATCH: usize = 1_000;
const PUBLISHERS: usize = 8;
/// How the log is filled: so many at once by so many.
const FILL: usize = 8_192;
const FILLERS: usize = 2;

/// A log, and how many events a second are published and delivered at its size.
struct Filled {
    fresh: Fresh,
    publish: Figures,
    deliver: Figures,
}

/// A small log and a large one, by turns.
pub(crate) async fn measure(size: &Size) {
    let mut small = Filled::new(size.small).await;
    let mut large = Filled::new(size.large).await;
    for round in 1..=size.rounds {
        eprintln!("round {round} of {} on a large log and a small one", size.rounds);
        small.round().await;
        large.round().await;
    }
    let (beside, many) = (format!("the log having {}", grouped(size.small)), grouped(size.large));
    let what = format!("Postgres, published, the log having {many}");
    row(&what, &large.publish, Some((&beside, &small.publish)), 0.9..);
    let what = format!("Postgres, delivered from a backlog, the log having {many}");
    row(&what, &large.deliver, Some((&beside, &small.deliver)), 0.9..);
    small.fresh.remove().await;
    large.fresh.remove().await;
}

impl Filled {
    async fn new(events: usize) -> Self {
        eprintln!("filling a log with {}", grouped(events));
        let fresh = Fresh::new();
        fill(fresh.url(), events).await;
        fresh.settle().await;
        Self { fresh, publish: Figures::new("/s"), deliver: Figures::new("/s") }
    }

    async fn round(&mut self) {
        let bus = self.fresh.bus().await;
        bus.define("late", Start::Latest).await;
        let mut events = events::new(SOME);
        let batches = (0..SOME / BATCH).map(|_| events.by_ref().take(BATCH).collect()).collect();
        let begun = Instant::now();
        bus.publish(batches, PUBLISHERS).await;
        self.publish.add(SOME as f64 / begun.elapsed().as_secs_f64());
        let took = bus.deliver(&["late"], Start::Latest, SOME).await;
        self.deliver.add(SOME as f64 / took.as_secs_f64());
        bus.close().await;
    }
}

/// While one batch is made another is stored.
async fn fill(url: &str, events: usize) {
    let store = Postgres::open(Config::from_url(url).unwrap(), Seam::system()).await.unwrap();
    let mut fillers = JoinSet::new();
    for filler in 0..FILLERS {
        let log = store.stores().log;
        let share = (filler..).step_by(FILLERS).map(|n| n * FILL).take_while(move |from| *from < events);
        fillers.spawn(async move {
            for from in share {
                log.append(&events::stored(FILL.min(events - from))).await.unwrap();
            }
        });
    }
    fillers.join_all().await;
    store.close().await;
}

/// A whole number of thousands.
fn grouped(count: usize) -> String {
    if count < 1_000_000 {
        return format!("{},000", count / 1_000);
    }
    format!("{},{:03},000", count / 1_000_000, count / 1_000 % 1_000)
}
