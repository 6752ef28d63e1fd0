//! Publishing, beside a raw loop into a table of the same columns and indexes, and beside the peers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use busway_core::NewEvent;
use busway_engine::Engine;
use tokio::task::JoinSet;

use crate::{
    database::{Fresh, open},
    events,
    peers::Peers,
    process::{self, Process},
    raw,
    size::Size,
    table::{Figures, row},
};

pub(crate) const ALONE: &str = "publish-alone";

const MANY: usize = 256;
const PROCESSES: usize = 4;
/// Publishers of batches, and events of each.
const BATCHERS: usize = 4;
const BATCH: usize = 1_000;
const WARM_UP: Duration = Duration::from_millis(500);

pub(crate) struct Publish {
    many: Figures,
    logged: Figures,
    raw: Figures,
    processes: Figures,
    batches: Figures,
    one: Figures,
}

impl Publish {
    pub(crate) fn new() -> Self {
        let rate = || Figures::new("/s");
        let logged = Figures::new(" bytes");
        Self { many: rate(), logged, raw: rate(), processes: rate(), batches: rate(), one: rate() }
    }

    pub(crate) async fn round(&mut self, size: &Size) {
        let fresh = Fresh::new();
        fresh.bus().await.close().await;
        let before = fresh.logged().await;
        let many = publish(&fresh, 1, MANY, 1, size.window);
        self.logged.add((fresh.logged().await - before) / many.total);
        self.many.add(many.per_second);
        self.raw.add(raw::publish(&fresh, size.window).await);
        self.processes.add(publish(&fresh, PROCESSES, MANY, 1, size.window).per_second);
        self.batches.add(publish(&fresh, 1, BATCHERS, BATCH, size.window).per_second);
        self.one.add(publish(&fresh, 1, 1, 1, size.window).per_second);
        fresh.remove().await;
    }

    pub(crate) fn print(&self, peers: &Peers) {
        let Self { many, logged, raw, processes, batches, one } = self;
        let what = format!("Postgres, {MANY} publishers that await each event");
        row(&what, many, Some(("raw loop, 1,000 rows a commit", raw)), 0.75..);
        peers.row(&what, many, "pgbench single-row inserts, 32 clients", 5.0..);
        for peer in ["pgmq send, awaited by 256", "Watermill publish, awaited by 256", "River Insert, awaited by 256"] {
            peers.row(&what, many, peer, ..);
        }
        let what = format!("Postgres, {PROCESSES} processes of {MANY} publishers each, in sum");
        row(&what, processes, Some(("one process", many)), 1.0..);
        peers.row("Postgres, one publisher that awaits each event", one, "pgbench single-row inserts, 1 client", 0.7..);
        let what = format!("Postgres, {BATCHERS} publishers of 1,000 events a call");
        for peer in ["pgmq send_batch of 5000", "Watermill publish of 1000", "River InsertManyFast of 5000"] {
            peers.row(&what, batches, peer, ..);
        }
        let what = format!("Postgres, WAL for each event of {MANY} publishers");
        row(&what, logged, None, ..);
        peers.row(&what, logged, "pgmq send, awaited by 256, WAL", ..);
    }
}

/// What a load of many publishers came to.
struct Pace {
    /// Counted after a warm-up.
    per_second: f64,
    /// All that was stored.
    total: f64,
}

/// So many processes at once, with so many publishers each, of so many events a call.
fn publish(fresh: &Fresh, processes: usize, publishers: usize, batch: usize, window: Duration) -> Pace {
    let start = |_| Process::start(&[&ALONE, &fresh.url(), &publishers, &batch, &window.as_millis()]);
    let mut processes: Vec<Process> = (0..processes).map(start).collect();
    processes.iter_mut().for_each(Process::go);
    let mut pace = Pace { per_second: 0.0, total: 0.0 };
    for mut process in processes {
        let [per_second, total] = process.numbers()[..] else { panic!("two numbers are told") };
        pace.per_second += per_second;
        pace.total += total;
        process.finish();
    }
    pace
}

/// One of these processes: prints how many events it published a second and in all.
pub(crate) async fn alone(url: &str, publishers: usize, batch: usize, millis: u64) {
    let bus = open(url).await;
    process::ready();
    process::told().await;
    let load = Load::start(&bus.engine, publishers, batch);
    tokio::time::sleep(WARM_UP).await;
    let (begun, before) = (Instant::now(), load.published());
    tokio::time::sleep(Duration::from_millis(millis)).await;
    let per_second = (load.published() - before) as f64 / begun.elapsed().as_secs_f64();
    println!("{per_second} {}", load.stop().await);
    bus.close().await;
}

/// Publishers that publish again and again, each awaiting one call before the next.
pub(crate) struct Load {
    published: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
    publishers: JoinSet<()>,
}

impl Load {
    pub(crate) fn start(engine: &Engine, publishers: usize, batch: usize) -> Self {
        let (published, over) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let publish = |_| {
            let (engine, published, over) = (engine.clone(), published.clone(), over.clone());
            let some: Vec<NewEvent> = events::new(batch.max(64)).collect();
            async move {
                let mut events = some.into_iter().cycle();
                while !over.load(Ordering::Relaxed) {
                    engine.publish(events.by_ref().take(batch).collect()).await.unwrap();
                    published.fetch_add(batch, Ordering::Relaxed);
                }
            }
        };
        let publishers = (0..publishers).map(publish).collect();
        Self { published, over, publishers }
    }

    pub(crate) fn published(&self) -> usize {
        self.published.load(Ordering::Relaxed)
    }

    /// Returns how many were published in all.
    pub(crate) async fn stop(self) -> usize {
        self.over.store(true, Ordering::Relaxed);
        self.publishers.join_all().await;
        self.published.load(Ordering::Relaxed)
    }
}
