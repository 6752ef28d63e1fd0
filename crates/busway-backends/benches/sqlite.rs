//! The SQLite backend beside a raw loop over rusqlite that writes the same events into the same tables.
//!
//! Both go in turns of a fraction of a second, so that what else the disk does meets both alike; the ratio is the
//! median over the pairs of turns. `cargo bench -p busway-backends --bench sqlite`; files go to the system's folder
//! for temporary ones, or to `BUSWAY_BENCH_DIR`.

mod raw;

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use busway_backends::sqlite::{Config, Sqlite};
use busway_core::{Event, Log, Metadata, NewEvent, Payload, ReadRequest, Seam};
use busway_engine::Engine;
use tokio::sync::Semaphore;

const LANES: u16 = 8;
const TURNS: usize = 15;
const MOST_PER_BATCH: usize = 1_000;
const PUBLISHERS: usize = 512;

fn main() {
    let folder = match std::env::var_os("BUSWAY_BENCH_DIR") {
        Some(folder) => tempfile::tempdir_in(folder),
        None => tempfile::tempdir(),
    };
    let folder = folder.expect("a folder for the files");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(run(folder.path()));
}

async fn run(folder: &Path) {
    let seam = Seam::system();
    let config = Config { lanes: Some(LANES), ..Config::new(folder.join("raw.db")) };
    Sqlite::open(config.clone(), seam.clone()).await.expect("a file").close().await;
    let mut raw = raw::Loop::open(&config.path);
    let store = Sqlite::open(Config { path: folder.join("busway.db"), ..config }, seam.clone()).await.expect("a store");

    let mut pairs = Pairs::new("one publisher, one event a commit");
    for _ in 0..TURNS {
        let (ours, theirs) = (events(&seam, 400), events(&seam, 400));
        pairs.add(400, timed(one_by_one(&store, &ours)).await, raw.timed(&theirs, 1));
    }
    pairs.print();

    let mut pairs = Pairs::new("appends of 1,000 events, two under way");
    for _ in 0..TURNS {
        let (ours, theirs) = (events(&seam, 40_000), events(&seam, 40_000));
        pairs.add(40_000, timed(in_batches(&store, &ours)).await, raw.timed(&theirs, MOST_PER_BATCH));
    }
    pairs.print();

    let engine = Engine::start(store.stores(), busway_engine::Config::default(), seam.clone()).await.expect("an engine");
    let (mut commits, mut pairs) = (0, Pairs::new("512 awaiting publishers through the engine"));
    for _ in 0..TURNS {
        let (ours, theirs) = (events(&seam, 40_000), events(&seam, 40_000));
        let start = Instant::now();
        let made = by_publishers(&engine, ours).await;
        let ours = start.elapsed();
        commits += made;
        pairs.add(40_000, ours, raw.timed(&theirs, 40_000 / made as usize));
    }
    pairs.print();
    println!("    events per commit reached: {}", TURNS as u64 * 40_000 / commits);
    engine.shutdown().await.expect("a shutdown");

    let mut per_row = Vec::new();
    for _ in 0..TURNS {
        let (start, mut rows) = (Instant::now(), 0);
        for lane in (0..LANES).map(busway_core::LaneId) {
            let mut after = 0;
            loop {
                let page = store.read(ReadRequest::after(lane, after, 1_000)).await.expect("a page");
                if page.entries.is_empty() {
                    break;
                }
                (after, rows) = (page.looked, rows + page.entries.len());
            }
        }
        per_row.push(start.elapsed().as_nanos() as f64 / rows as f64);
    }
    println!("reads by 1,000 rows: {:.0} ns a row", median(&mut per_row));
    store.close().await;
}

/// Events like those of an application: 16 tenants, 256 keys, a payload of 230 bytes.
fn events(seam: &Seam, count: usize) -> Vec<Arc<Event>> {
    let payload = Payload::from_json(format!(r#"{{"shiftId":"{}","note":"{}"}}"#, seam.id(), "x".repeat(170)));
    let payload = payload.expect("a payload");
    let event = |_| {
        let chance = seam.random();
        Arc::new(Event {
            id: seam.id(),
            event_type: "shift.signup.created".parse().expect("a type"),
            tenant: format!("tenant-{}", chance % 16).parse().expect("a tenant"),
            key: Some(format!("key-{}", chance >> 32 & 0xff).parse().expect("a key")),
            time: seam.now(),
            payload: payload.clone(),
            metadata: Metadata::default(),
        })
    };
    (0..count).map(event).collect()
}

async fn timed(work: impl Future<Output = ()>) -> Duration {
    let start = Instant::now();
    work.await;
    start.elapsed()
}

async fn one_by_one(store: &Arc<Sqlite>, events: &[Arc<Event>]) {
    let (store, events) = (store.clone(), events.to_vec());
    let publisher = tokio::spawn(async move {
        for event in &events {
            store.append(std::slice::from_ref(event)).await.expect("an append");
        }
    });
    publisher.await.expect("a publisher");
}

async fn in_batches(store: &Arc<Sqlite>, events: &[Arc<Event>]) {
    let permits = Arc::new(Semaphore::new(store.capabilities().parallel_appends));
    let mut appends = tokio::task::JoinSet::new();
    for batch in events.chunks(MOST_PER_BATCH) {
        let permit = permits.clone().acquire_owned().await.expect("a permit");
        let (store, batch) = (store.clone(), batch.to_vec());
        appends.spawn(async move {
            store.append(&batch).await.expect("an append");
            drop(permit);
        });
    }
    appends.join_all().await;
}

/// Through the engine, which groups what waits; returns how many commits that made.
async fn by_publishers(engine: &Engine, events: Vec<Arc<Event>>) -> u64 {
    let mut wake = engine.stores().log.wake();
    let before = *wake.borrow_and_update();
    let mut publishers = tokio::task::JoinSet::new();
    for share in events.chunks(events.len().div_ceil(PUBLISHERS)) {
        let share: Vec<_> = share.iter().map(|event| as_new(event)).collect();
        let engine = engine.clone();
        publishers.spawn(async move {
            for event in share {
                engine.publish(vec![event]).await.expect("a publish");
            }
        });
    }
    publishers.join_all().await;
    let commits = *wake.borrow() - before;
    commits
}

fn as_new(event: &Event) -> NewEvent {
    NewEvent {
        id: Some(event.id),
        event_type: event.event_type.clone(),
        tenant: Some(event.tenant.clone()),
        key: event.key.clone(),
        time: Some(event.time),
        payload: event.payload.clone(),
        metadata: event.metadata.clone(),
    }
}

/// Turns of the backend and of the raw loop, side by side.
struct Pairs {
    name: &'static str,
    ours: Vec<f64>,
    theirs: Vec<f64>,
    ratios: Vec<f64>,
}

impl Pairs {
    fn new(name: &'static str) -> Self {
        Self { name, ours: Vec::new(), theirs: Vec::new(), ratios: Vec::new() }
    }

    fn add(&mut self, events: usize, ours: Duration, theirs: Duration) {
        self.ours.push(events as f64 / ours.as_secs_f64());
        self.theirs.push(events as f64 / theirs.as_secs_f64());
        self.ratios.push(theirs.as_secs_f64() / ours.as_secs_f64());
    }

    fn print(mut self) {
        let (ours, theirs, ratio) = (median(&mut self.ours), median(&mut self.theirs), median(&mut self.ratios));
        println!("{}: {ours:.0} events/s, raw {theirs:.0}, ratio {ratio:.2}", self.name);
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
