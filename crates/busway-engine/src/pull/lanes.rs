use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use busway_core::{LaneId, SubscriptionId, Version};
use tokio::sync::Mutex as AsyncMutex;

use super::ahead::Ahead;
use crate::lane::pull::PullLane;

/// What this process knows of subscriptions in mode `pull`.
#[derive(Debug)]
pub(crate) struct PullLanes {
    lanes: u16,
    subscriptions: Mutex<HashMap<SubscriptionId, Arc<Pulled>>>,
    pub(super) ahead: Arc<Ahead>,
    turn: AtomicUsize,
}

/// One subscription.
#[derive(Debug)]
pub(super) struct Pulled {
    lanes: Vec<Lane>,
    /// When it was last looked at what other processes have changed.
    looked: Mutex<Option<Duration>>,
    /// How often something was learned of its lanes.
    news: AtomicU64,
}

/// One lane, as last seen; the store's version tells whether that still holds.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// What the store has is at least this: another process may have changed the lane.
    known: Mutex<Version>,
    pub(super) seen: AsyncMutex<Option<(Version, PullLane)>>,
    /// Locked by who reads on.
    pub(super) reading: Arc<AsyncMutex<()>>,
}

impl PullLanes {
    pub(crate) fn new(lanes: u16) -> Self {
        Self { lanes, subscriptions: Mutex::default(), ahead: Arc::default(), turn: AtomicUsize::new(0) }
    }

    pub(super) fn of(&self, id: SubscriptionId) -> Arc<Pulled> {
        let mut subscriptions = self.subscriptions.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(subscriptions.entry(id).or_insert_with(|| Arc::new(Pulled::new(self.lanes))))
    }

    /// All lanes; each call begins with another one.
    pub(super) fn in_turn(&self) -> impl Iterator<Item = LaneId> + Clone + use<> {
        let (first, lanes) = (self.turn.fetch_add(1, Ordering::Relaxed), usize::from(self.lanes));
        (0..lanes).map(move |index| LaneId((first.wrapping_add(index) % lanes) as u16))
    }

    /// Forgets subscriptions that are gone.
    pub(crate) fn retain(&self, known: impl Fn(SubscriptionId) -> bool) {
        self.subscriptions.lock().unwrap_or_else(PoisonError::into_inner).retain(|id, _| known(*id));
        self.ahead.retain(known);
    }
}

impl Pulled {
    fn new(lanes: u16) -> Self {
        Self { lanes: (0..lanes).map(|_| Lane::default()).collect(), looked: Mutex::default(), news: AtomicU64::new(0) }
    }

    pub(super) fn lane(&self, lane: LaneId) -> &Lane {
        &self.lanes[usize::from(lane.0)]
    }

    fn looked(&self) -> MutexGuard<'_, Option<Duration>> {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True if it was looked at less than so long ago.
    pub(super) fn looked_within(&self, limit: Duration, now: Duration) -> bool {
        self.looked().is_some_and(|looked| now.saturating_sub(looked) < limit)
    }

    /// The store has this of a lane.
    pub(super) fn learn(&self, lane: LaneId, version: Version) {
        let mut known = self.lane(lane).known.lock().unwrap_or_else(PoisonError::into_inner);
        if *known < version {
            *known = version;
            self.news.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Rises with everything that is learned.
    pub(super) fn news(&self) -> u64 {
        self.news.load(Ordering::Acquire)
    }

    pub(super) fn looked_at(&self, now: Duration) {
        *self.looked() = Some(now);
    }
}

impl Lane {
    pub(super) fn known(&self) -> Version {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
