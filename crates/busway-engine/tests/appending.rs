//! How appends go to the log: side by side, in the order they were brought, whoever goes away or stands still.

#![allow(clippy::unwrap_used, reason = "an engine that cannot be started ends its test")]

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use busway_core::{
    Appended, Capabilities, ErrorKind, Event, EventType, Key, LaneId, Log, NewEvent, Payload, Result, Seam, Stores,
    conformance::doubles::{LogTwist, Sound, Twist},
    lane_of,
    memory::Memory,
};
use busway_engine::{Config, Engine, Published};
use futures::{
    FutureExt,
    future::{self, BoxFuture},
};
use tokio::sync::Semaphore;

async fn engine_over(log: impl LogTwist, lanes: u16, config: Config) -> (Engine, Stores) {
    let seam = Seam::system();
    let stores = Twist::log(log).over(Memory::with_lanes(seam.clone(), lanes).stores(), 0);
    (Engine::start(stores.clone(), config, seam).await.unwrap(), stores)
}

fn event(key: &str) -> NewEvent {
    NewEvent::new(EventType::new("a.b").unwrap(), Payload::from_json("{}").unwrap()).with_key(Key::new(key).unwrap())
}

/// A log that takes two appends at once and notes which lanes are busy.
#[derive(Clone, Default)]
struct Wide(Arc<Noted>);

#[derive(Default)]
struct Noted {
    busy: Mutex<Vec<BTreeSet<LaneId>>>,
    /// Most appends that were under way at once.
    most: AtomicUsize,
    /// How often an append came for a lane that another was at.
    met: AtomicUsize,
}

#[async_trait]
impl LogTwist for Wide {
    fn capabilities(&self, declared: &mut Capabilities) {
        declared.parallel_appends = 2;
    }

    async fn append(&self, sound: Sound<'_, dyn Log>, batch: &[Arc<Event>]) -> Result<Vec<Appended>> {
        let noted = &self.0;
        let lane = |event: &Arc<Event>| lane_of(&event.tenant, event.key.as_ref(), &event.event_type, sound.lanes());
        let lanes: BTreeSet<LaneId> = batch.iter().map(lane).collect();
        {
            let mut busy = noted.busy.lock().unwrap();
            let meets = busy.iter().any(|others| !others.is_disjoint(&lanes));
            noted.met.fetch_add(usize::from(meets), Ordering::Relaxed);
            busy.push(lanes.clone());
            noted.most.fetch_max(busy.len(), Ordering::Relaxed);
        }
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        let appended = sound.append(batch).await;
        let mut busy = noted.busy.lock().unwrap();
        let at = busy.iter().position(|others| *others == lanes).unwrap();
        busy.remove(at);
        appended
    }
}

/// Has 64 publishers publish 20 single events each, side by side.
async fn publish(lanes: u16) -> (Wide, u64) {
    let wide = Wide::default();
    let (engine, stores) = engine_over(wide.clone(), lanes, Config { append_batch: 8, ..Config::default() }).await;
    let publisher = async |publisher: u64| {
        for n in 0..20 {
            engine.publish(vec![event(&format!("k{}", publisher * 20 + n))]).await.unwrap();
        }
    };
    future::join_all((0..64).map(publisher)).await;
    // The memory backend numbers each lane from 1 on without gaps.
    let stored = stores.log.heads().await.unwrap().seqs.iter().sum();
    (wide, stored)
}

#[tokio::test]
async fn appends_side_by_side_are_of_different_lanes() {
    let (Wide(noted), stored) = publish(8).await;
    assert_eq!(stored, 64 * 20);
    assert_eq!(noted.most.load(Ordering::Relaxed), 2, "appends at once");
    assert_eq!(noted.met.load(Ordering::Relaxed), 0, "appends for a lane that another was at");
}

#[tokio::test]
async fn a_log_of_fewer_lanes_gets_as_many_appends_at_once() {
    let (Wide(noted), stored) = publish(1).await;
    assert_eq!(stored, 64 * 20);
    assert_eq!(noted.most.load(Ordering::Relaxed), 2, "appends at once");
}

/// A log of which each append waits for leave; it notes the keys in the order in which they were stored.
#[derive(Clone)]
struct Held {
    leave: Arc<Semaphore>,
    keys: Arc<Mutex<Vec<String>>>,
}

#[async_trait]
impl LogTwist for Held {
    async fn append(&self, sound: Sound<'_, dyn Log>, batch: &[Arc<Event>]) -> Result<Vec<Appended>> {
        self.leave.acquire().await.unwrap().forget();
        let keys = batch.iter().map(|event| event.key.as_ref().unwrap().to_string());
        self.keys.lock().unwrap().extend(keys);
        sound.append(batch).await
    }
}

impl Held {
    async fn engine() -> (Self, Engine) {
        let held = Self { leave: Arc::new(Semaphore::new(0)), keys: Arc::default() };
        (held.clone(), engine_over(held, 1, Config::default()).await.0)
    }

    fn keys(&self) -> Vec<String> {
        self.keys.lock().unwrap().clone()
    }
}

/// What publishes an event, polled once.
fn begun<'a>(engine: &'a Engine, key: &str) -> BoxFuture<'a, Result<Vec<Published>>> {
    let mut publishing = engine.publish(vec![event(key)]).boxed();
    assert!((&mut publishing).now_or_never().is_none());
    publishing
}

#[tokio::test]
async fn what_a_publisher_brought_that_went_away_is_stored_before_what_came_later() {
    let (held, engine) = Held::engine().await;
    let gone = begun(&engine, "gone");
    drop(gone);
    held.leave.add_permits(2);
    engine.publish(vec![event("later")]).await.unwrap();
    assert_eq!(held.keys(), ["gone", "later"]);
}

#[tokio::test]
async fn a_publisher_that_stands_still_stops_nobody() {
    let (held, engine) = Held::engine().await;
    let still = begun(&engine, "still");
    held.leave.add_permits(2);
    // Nothing polls the first any more.
    engine.publish(vec![event("next")]).await.unwrap();
    assert_eq!(held.keys(), ["still", "next"]);
    still.await.unwrap();
}

#[tokio::test]
async fn those_who_publish_side_by_side_are_stored_in_the_order_they_came() {
    let (held, engine) = Held::engine().await;
    let names: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    let mut all = future::try_join_all(names.iter().map(|name| engine.publish(vec![event(name)]))).boxed();
    assert!((&mut all).now_or_never().is_none());
    held.leave.add_permits(100);
    all.await.unwrap();
    assert_eq!(held.keys(), names);
}

#[tokio::test]
async fn shutting_down_waits_for_what_is_being_stored() {
    let (held, engine) = Held::engine().await;
    let last = begun(&engine, "last");
    held.leave.add_permits(1);
    engine.shutdown().await.unwrap();
    assert_eq!(held.keys(), ["last"]);
    last.await.unwrap();
}

/// A log of which every second append ends by a panic.
#[derive(Default)]
struct Defective(AtomicUsize);

#[async_trait]
impl LogTwist for Defective {
    async fn append(&self, sound: Sound<'_, dyn Log>, batch: &[Arc<Event>]) -> Result<Vec<Appended>> {
        tokio::task::yield_now().await;
        assert!(self.0.fetch_add(1, Ordering::Relaxed) % 2 == 1, "a defect of the store");
        sound.append(batch).await
    }
}

#[tokio::test]
async fn a_store_that_panics_is_told_of_and_the_next_append_goes_on() {
    let (engine, _) = engine_over(Defective::default(), 1, Config::default()).await;
    let publish = async || engine.publish(vec![event("k")]).await.map(drop).map_err(|error| error.kind());
    let defect = Err(ErrorKind::OutcomeUnknown);
    // The first is alone; the others wait for it, and go in one append.
    assert_eq!(tokio::join!(publish(), publish(), publish()), (defect, Ok(()), Ok(())));
    assert_eq!(publish().await, defect);
    assert_eq!(tokio::join!(publish(), publish(), publish()), (Ok(()), defect, defect));
    assert_eq!(publish().await, Ok(()));
}
