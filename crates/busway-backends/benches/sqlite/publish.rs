//! Ways to publish.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use busway_backends::sqlite::Sqlite;
use busway_core::{Event, Log, NewEvent};
use busway_engine::Engine;
use tokio::{sync::Semaphore, task::JoinSet};

pub(crate) const BATCH: usize = 1_000;
const PUBLISHERS: usize = 512;

/// One task that awaits each event before the next.
pub(crate) async fn one_by_one(store: &Arc<Sqlite>, events: Vec<Arc<Event>>) -> Duration {
    let store = store.clone();
    let publisher = tokio::spawn(async move {
        let start = Instant::now();
        for event in &events {
            store.append(std::slice::from_ref(event)).await.unwrap();
        }
        start.elapsed()
    });
    publisher.await.unwrap()
}

/// Whole batches, as many under way as the backend can use.
pub(crate) async fn in_batches(store: &Arc<Sqlite>, events: &[Arc<Event>]) -> Duration {
    let start = Instant::now();
    let permits = Arc::new(Semaphore::new(store.capabilities().parallel_appends));
    let mut appends = JoinSet::new();
    for batch in events.chunks(BATCH) {
        let permit = permits.clone().acquire_owned().await.unwrap();
        let (store, batch) = (store.clone(), batch.to_vec());
        appends.spawn(async move {
            store.append(&batch).await.unwrap();
            drop(permit);
        });
    }
    appends.join_all().await;
    start.elapsed()
}

/// Many tasks that each await one event before the next, grouped by the engine; also returns how many commits that
/// made.
pub(crate) async fn by_many(engine: &Engine, events: &[Arc<Event>]) -> (u64, Duration) {
    let shares = events.chunks(events.len().div_ceil(PUBLISHERS));
    let shares: Vec<Vec<NewEvent>> = shares.map(|share| share.iter().map(|event| as_new(event)).collect()).collect();
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
    (commits, took)
}

fn as_new(event: &Event) -> NewEvent {
    NewEvent {
        // Made on arrival, so that they rise as in the loop beside it.
        id: None,
        event_type: event.event_type.clone(),
        tenant: Some(event.tenant.clone()),
        key: event.key.clone(),
        time: Some(event.time),
        payload: event.payload.clone(),
        metadata: event.metadata.clone(),
    }
}
