use std::{
    collections::BTreeMap,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use busway_backends::sqlite::{Config, Sqlite};
use busway_core::{Event, Log, Metadata, Payload, Seam};
use rusqlite::Connection;
use tempfile::tempdir;
use uuid::Uuid;

const BATCHES: usize = 300;
const SIZE: i64 = 64;

fn batch(number: usize) -> Vec<Arc<Event>> {
    let event = |place| {
        Arc::new(Event {
            id: Uuid::now_v7(),
            event_type: "shift.created".parse().unwrap(),
            tenant: format!("batch-{number}").parse().unwrap(),
            key: Some(format!("key-{place}").parse().unwrap()),
            time: Seam::system().now(),
            payload: Payload::empty(),
            metadata: Metadata::default(),
        })
    };
    (0..SIZE).map(event).collect()
}

/// How many events of each batch there are, over all lanes: one statement, so one snapshot.
fn counts(watcher: &Connection) -> BTreeMap<String, i64> {
    let mut statement = watcher.prepare_cached("SELECT tenant, count(*) FROM busway_events GROUP BY tenant").unwrap();
    let counts = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    counts.map(Result::unwrap).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_snapshot_ever_shows_part_of_a_batch_also_of_one_that_was_given_up_on() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("busway.db");
    let store = Sqlite::open(Config { lanes: Some(8), ..Config::new(&path) }, Seam::system()).await.unwrap();
    let ended = Arc::new(AtomicBool::new(false));
    let watching = ended.clone();
    let watcher = std::thread::spawn(move || {
        let watcher = Connection::open(&path).unwrap();
        let mut snapshots = 0;
        while !watching.load(Ordering::Relaxed) {
            for (batch, count) in counts(&watcher) {
                assert_eq!(count, SIZE, "of {batch}");
            }
            snapshots += 1;
        }
        (snapshots, counts(&watcher))
    });
    for number in 0..BATCHES {
        let batch = batch(number);
        let mut append = pin!(store.append(&batch));
        // Given up on as soon as it is asked for, in every other case.
        if polled_once(append.as_mut()).await.is_pending() && number % 2 == 0 {
            append.await.unwrap();
        }
    }
    store.close().await;
    ended.store(true, Ordering::Relaxed);
    let (snapshots, stored) = watcher.join().unwrap();
    assert!(snapshots > 10, "{snapshots} snapshots were taken");
    assert!(stored.len() >= BATCHES / 2 && stored.values().all(|count| *count == SIZE), "{stored:?}");
    let lanes = Connection::open(folder.path().join("busway.db")).unwrap();
    let used: i64 =
        lanes.query_row("SELECT count(DISTINCT place >> 48) FROM busway_events", [], |row| row.get(0)).unwrap();
    assert_eq!(used, 8, "the batches reach over all lanes");
}

async fn polled_once<F: Future>(future: std::pin::Pin<&mut F>) -> std::task::Poll<F::Output> {
    let mut future = Some(future);
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(future.take().map_or(std::task::Poll::Pending, |future| future.poll(context)))
    })
    .await
}
