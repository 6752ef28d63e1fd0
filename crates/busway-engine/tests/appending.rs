//! Appends that go to the log side by side.

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
    Appended, Capabilities, Entry, Event, EventType, Heads, Key, LaneId, Log, NewEvent, Payload, ReadPage, ReadRequest,
    Result, Seam, Seq, Stores, TenantId, Timestamp, Wake, lane_of, memory::Memory,
};
use busway_engine::{Config, Engine};
use uuid::Uuid;

/// A log that takes two appends at once and notes which lanes are busy.
struct Wide {
    log: Arc<dyn Log>,
    capabilities: Capabilities,
    busy: Mutex<Vec<BTreeSet<LaneId>>>,
    /// Most appends that were under way at once.
    most: AtomicUsize,
    /// How often an append came for a lane that another was at.
    met: AtomicUsize,
}

impl Wide {
    fn over(log: Arc<dyn Log>) -> Self {
        let capabilities = Capabilities { parallel_appends: 2, ..log.capabilities().clone() };
        let [most, met] = Default::default();
        Self { log, capabilities, busy: Mutex::default(), most, met }
    }
}

#[async_trait]
impl Log for Wide {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn lanes(&self) -> u16 {
        self.log.lanes()
    }

    async fn append(&self, batch: &[Arc<Event>]) -> Result<Vec<Appended>> {
        let lane = |event: &Arc<Event>| lane_of(&event.tenant, event.key.as_ref(), &event.event_type, self.lanes());
        let lanes: BTreeSet<LaneId> = batch.iter().map(lane).collect();
        {
            let mut busy = self.busy.lock().unwrap();
            let meets = busy.iter().any(|others| !others.is_disjoint(&lanes));
            self.met.fetch_add(usize::from(meets), Ordering::Relaxed);
            busy.push(lanes.clone());
            self.most.fetch_max(busy.len(), Ordering::Relaxed);
        }
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        let appended = self.log.append(batch).await;
        let mut busy = self.busy.lock().unwrap();
        let at = busy.iter().position(|others| *others == lanes).unwrap();
        busy.remove(at);
        appended
    }

    async fn read(&self, request: ReadRequest) -> Result<ReadPage> {
        self.log.read(request).await
    }

    async fn fetch(&self, lane: LaneId, seqs: &[Seq]) -> Result<Vec<Arc<Entry>>> {
        self.log.fetch(lane, seqs).await
    }

    async fn heads(&self) -> Result<Heads> {
        self.log.heads().await
    }

    async fn find(&self, tenant: Option<&TenantId>, from: Uuid, to: Uuid, max: usize) -> Result<Vec<Arc<Entry>>> {
        self.log.find(tenant, from, to, max).await
    }

    fn wake(&self) -> Wake {
        self.log.wake()
    }

    async fn prune(&self, lane: LaneId, upto: Seq, before: Timestamp) -> Result<u64> {
        self.log.prune(lane, upto, before).await
    }
}

/// Has 64 publishers publish 20 single events each, side by side.
async fn publish(lanes: u16) -> (Arc<Wide>, u64) {
    let seam = Seam::system();
    let memory = Memory::with_lanes(seam.clone(), lanes).stores();
    let log = Arc::new(Wide::over(memory.log));
    let config = Config { append_batch: 8, ..Config::default() };
    let engine = Engine::start(Stores { log: log.clone(), ..memory }, config, seam).await.unwrap();
    let publisher = async |publisher: u64| {
        for n in 0..20 {
            let key = Key::new(format!("k{}", publisher * 20 + n)).unwrap();
            let event = NewEvent::new(EventType::new("a.b").unwrap(), Payload::from_json("{}").unwrap());
            engine.publish(vec![event.with_key(key)]).await.unwrap();
        }
    };
    futures::future::join_all((0..64).map(publisher)).await;
    // The memory backend numbers each lane from 1 on without gaps.
    let stored = log.heads().await.unwrap().seqs.iter().sum();
    (log, stored)
}

#[tokio::test]
async fn appends_side_by_side_are_of_different_lanes() {
    let (log, stored) = publish(8).await;
    assert_eq!(stored, 64 * 20);
    assert_eq!(log.most.load(Ordering::Relaxed), 2, "appends at once");
    assert_eq!(log.met.load(Ordering::Relaxed), 0, "appends for a lane that another was at");
}

#[tokio::test]
async fn a_log_of_fewer_lanes_gets_as_many_appends_at_once() {
    let (log, stored) = publish(1).await;
    assert_eq!(stored, 64 * 20);
    assert_eq!(log.most.load(Ordering::Relaxed), 2, "appends at once");
}
