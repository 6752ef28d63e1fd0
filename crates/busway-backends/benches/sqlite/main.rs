//! The SQLite backend beside a raw loop over rusqlite that writes the same events into the same tables.
//!
//! Both go in turns of a fraction of a second, so that what else the disk does meets both alike; the ratio is the
//! median over the pairs of turns. `cargo bench -p busway-backends --bench sqlite [-- part…]`, the parts being
//! `alone`, `batches`, `publishers`, `reads` and `idle`. Files go to the system's folder for temporary ones, or to
//! `BUSWAY_BENCH_DIR`.

#![allow(clippy::unwrap_used, reason = "a bench that cannot be set up fails")]

mod cpu;
mod publish;
mod raw;
mod turns;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use busway_backends::sqlite::{Config, Sqlite};
use busway_core::{Event, LaneId, Log, Metadata, Payload, ReadRequest, Seam};
use busway_engine::Engine;

use turns::{Turns, median};

const LANES: u16 = 8;
const PARTS: [&str; 5] = ["alone", "batches", "publishers", "reads", "idle"];

fn main() {
    let folder = match std::env::var_os("BUSWAY_BENCH_DIR") {
        Some(folder) => tempfile::tempdir_in(folder),
        None => tempfile::tempdir(),
    };
    let folder = folder.unwrap();
    let named: Vec<String> = std::env::args().skip(1).filter(|part| PARTS.contains(&part.as_str())).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    for part in PARTS.into_iter().filter(|part| named.is_empty() || named.iter().any(|named| named == part)) {
        runtime.block_on(run(part, &Files(folder.path().join(part))));
    }
}

async fn run(part: &str, files: &Files) {
    match part {
        "alone" => alone(files).await,
        "batches" => batches(files).await,
        "publishers" => publishers(files).await,
        "reads" => reads(files).await,
        _ => idle(files).await,
    }
}

async fn alone(files: &Files) {
    let (store, mut raw) = (files.store().await, files.raw().await);
    let mut turns = Turns::new("one publisher, one event a commit");
    while turns.next() {
        let (ours, theirs) = (events(300), events(300));
        turns.add(300, publish::one_by_one(&store, ours).await, raw.timed(&theirs, 1));
    }
    turns.print();
}

async fn batches(files: &Files) {
    let (store, mut raw) = (files.store().await, files.raw().await);
    let mut turns = Turns::new("appends of 1,000 events, as many under way as declared");
    while turns.next() {
        let (ours, theirs) = (events(40_000), events(40_000));
        turns.add(40_000, publish::in_batches(&store, &ours).await, raw.timed(&theirs, publish::BATCH));
    }
    turns.print();
}

async fn publishers(files: &Files) {
    let (store, mut raw) = (files.store().await, files.raw().await);
    let engine = Engine::start(store.stores(), busway_engine::Config::default(), Seam::system()).await.unwrap();
    let (mut commits, mut turns) = (0, Turns::new("512 awaiting publishers through the engine"));
    while turns.next() {
        let (ours, theirs) = (events(40_000), events(40_000));
        let (made, took) = publish::by_many(&engine, &ours).await;
        commits += made;
        turns.add(40_000, took, raw.timed(&theirs, 40_000 / made as usize));
    }
    println!("    events a commit: {}", turns.events() as u64 / commits);
    turns.print();
    engine.shutdown().await.unwrap();
}

async fn reads(files: &Files) {
    let store = files.store().await;
    publish::in_batches(&store, &events(80_000)).await;
    let (mut wall, mut cpu) = (Vec::new(), Vec::new());
    for _ in 0..40 {
        let (start, used, mut rows) = (Instant::now(), cpu::used(), 0);
        for lane in (0..LANES).map(LaneId) {
            let page = store.read(ReadRequest::after(lane, 2_000, 1_000)).await.unwrap();
            rows += page.entries.len() as u32;
        }
        wall.push((start.elapsed() / rows).as_nanos() as f64);
        cpu.push(((cpu::used() - used) / rows).as_nanos() as f64);
    }
    println!("reads by 1,000 rows: {:.0} ns a row, {:.0} ns of a processor", median(&mut wall), median(&mut cpu));
}

async fn idle(files: &Files) {
    let _store = files.store().await;
    let used = cpu::used();
    tokio::time::sleep(Duration::from_secs(10)).await;
    let used = cpu::used() - used;
    println!("idle: {:.3} % of a processor", used.as_secs_f64() / 10.0 * 100.0);
}

/// Where a part keeps its two files.
struct Files(PathBuf);

impl Files {
    async fn store(&self) -> Arc<Sqlite> {
        open(&self.0.join("busway.db")).await
    }

    async fn raw(&self) -> raw::Loop {
        let path = self.0.join("raw.db");
        open(&path).await.close().await;
        raw::Loop::open(&path)
    }
}

async fn open(path: &Path) -> Arc<Sqlite> {
    Sqlite::open(Config { lanes: Some(LANES), ..Config::new(path) }, Seam::system()).await.unwrap()
}

/// Events like those of an application: 16 tenants, 256 keys, a payload of 230 bytes.
fn events(count: usize) -> Vec<Arc<Event>> {
    let seam = Seam::system();
    let payload = Payload::from_json(format!(r#"{{"shiftId":"{}","note":"{}"}}"#, seam.id(), "x".repeat(170)));
    let payload = payload.unwrap();
    let event = |_| {
        let chance = seam.random();
        Arc::new(Event {
            id: seam.id(),
            event_type: "shift.signup.created".parse().unwrap(),
            tenant: format!("tenant-{}", chance % 16).parse().unwrap(),
            key: Some(format!("key-{}", chance >> 32 & 0xff).parse().unwrap()),
            time: seam.now(),
            payload: payload.clone(),
            metadata: Metadata::default(),
        })
    };
    (0..count).map(event).collect()
}
