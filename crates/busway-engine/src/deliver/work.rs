use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;
use busway_core::{Control, LaneId, Seq, SubscriptionRecord};
use tokio::sync::Semaphore;

use super::LaneHandle;
use crate::{Handler, signal::Signal};

/// A subscription that this process has a handler for.
pub(crate) struct Work {
    record: ArcSwap<SubscriptionRecord>,
    pub(crate) handler: Arc<dyn Handler>,
    /// Runs at once in this process.
    pub(crate) slots: Arc<Semaphore>,
    slots_total: AtomicU64,
    lanes: Mutex<BTreeMap<LaneId, LaneHandle>>,
    /// Lanes of which something is asked, as last seen.
    asked: Mutex<BTreeSet<LaneId>>,
    /// Raised when the record or a request has changed.
    pub(crate) changed: Arc<Signal>,
    /// Set when an event came that the handler cannot handle: the process no longer works on it.
    pub(crate) unfit: std::sync::atomic::AtomicBool,
    /// Of a replay: the work that live events come to.
    pub(crate) live: Option<Arc<Work>>,
}

impl Work {
    pub(crate) fn new(record: Arc<SubscriptionRecord>, handler: Arc<dyn Handler>, live: Option<Arc<Work>>) -> Self {
        let slots = slots(&record, live.is_some());
        Self {
            record: ArcSwap::new(record),
            handler,
            slots: Arc::new(Semaphore::new(slots)),
            slots_total: AtomicU64::new(slots as u64),
            lanes: Mutex::default(),
            asked: Mutex::default(),
            changed: Signal::new(),
            unfit: std::sync::atomic::AtomicBool::new(false),
            live,
        }
    }

    pub(crate) fn record(&self) -> Arc<SubscriptionRecord> {
        self.record.load_full()
    }

    /// Another record: its concurrency holds from now on, its lanes are told.
    pub(crate) fn update(&self, record: Arc<SubscriptionRecord>) {
        let slots = slots(&record, self.live.is_some()) as u64;
        let before = self.slots_total.swap(slots, Ordering::Relaxed);
        if slots > before {
            self.slots.add_permits((slots - before) as usize);
        } else {
            self.slots.forget_permits((before - slots) as usize);
        }
        self.record.store(record);
        self.changed.raise();
    }

    pub(crate) fn lanes(&self) -> MutexGuard<'_, BTreeMap<LaneId, LaneHandle>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something is asked of these lanes: their runners look.
    pub(crate) fn ask(&self, lanes: BTreeSet<LaneId>) {
        let some = !lanes.is_empty();
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = lanes;
        if some {
            self.changed.raise();
        }
    }

    pub(crate) fn is_asked(&self, lane: LaneId) -> bool {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).contains(&lane)
    }

    /// The last seq of a lane that is to be delivered: of a replay, its end.
    pub(crate) fn last(&self, lane: LaneId) -> Seq {
        let record = self.record.load();
        record.replay.as_ref().and_then(|replay| replay.to.get(usize::from(lane.0)).copied()).unwrap_or(Seq::MAX)
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.record.load().control != Control::Running
    }
}

/// A replay may take a quarter of the slots.
fn slots(record: &SubscriptionRecord, replay: bool) -> usize {
    let all = record.definition.concurrency as usize;
    if replay { (all / 4).max(1) } else { all.max(1) }
}
