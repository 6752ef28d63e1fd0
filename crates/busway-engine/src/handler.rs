use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use busway_core::{Event, EventType, Owner, SubscriptionName, Timestamp};
use tokio::sync::{Notify, futures::Notified};

/// A future behind a pointer.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What handles the deliveries of a subscription of mode `run`.
pub trait Handler: Send + Sync + 'static {
    /// True if this handler can handle events of the type. A member whose handler cannot handle a matching
    /// event gives the lane back and never acknowledges it.
    fn handles(&self, event_type: &EventType) -> bool {
        let _ = event_type;
        true
    }

    /// Handles one delivery. A panic counts as a failure.
    fn handle(self: Arc<Self>, delivery: Delivery) -> BoxFuture<Outcome>;
}

/// One event handed to one subscription.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The event; of a retried dead letter with its edited payload, if it has one.
    pub event: Arc<Event>,
    /// When the store took it.
    pub stored_at: Timestamp,
    /// Whose subscription.
    pub owner: Owner,
    /// The subscription.
    pub subscription: SubscriptionName,
    /// Runs begun on this event, this one included.
    pub attempt: u32,
    /// Rises whenever the lane changes hands: what an older fence wrote must not overwrite a newer one's.
    pub fence: u64,
    /// The replay's operation, if this is one.
    pub replay: Option<uuid::Uuid>,
    /// By when the run must end, and how to get more time.
    pub deadline: Deadline,
}

/// By when a run must end. Clones share one deadline.
#[derive(Clone, Debug)]
pub struct Deadline(Arc<Allowed>);

#[derive(Debug)]
struct Allowed {
    /// After the run's start, in nanoseconds.
    timeout: AtomicU64,
    extended: Notify,
}

impl Deadline {
    /// A deadline this long after the run's start.
    pub(crate) fn after_start(timeout: Duration) -> Self {
        Self(Arc::new(Allowed { timeout: AtomicU64::new(nanos(timeout)), extended: Notify::new() }))
    }

    /// The same for a run that comes after one that has ended, in the same place if nobody has kept that one's.
    pub(crate) fn renewed(mut self, timeout: Duration) -> Self {
        match Arc::get_mut(&mut self.0) {
            Some(allowed) => *allowed.timeout.get_mut() = nanos(timeout),
            None => self = Self::after_start(timeout),
        }
        self
    }

    /// Gives the run this much more time, counted from its present deadline.
    pub fn extend(&self, by: Duration) {
        let longer = |timeout: u64| Some(timeout.saturating_add(nanos(by)));
        // It always has a longer one, so there is no error.
        let _ = self.0.timeout.fetch_update(Ordering::AcqRel, Ordering::Acquire, longer);
        self.0.extended.notify_waiters();
    }

    /// How long after its start a run may end.
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_nanos(self.0.timeout.load(Ordering::Acquire))
    }

    /// Ends when the deadline is extended after this was called.
    pub(crate) fn extended(&self) -> Notified<'_> {
        self.0.extended.notified()
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Handled.
    Done,
    /// Not wanted, and so acknowledged; counted apart.
    Skipped,
    /// Failed; tried again after `delay`, by the subscription's policy if `None`.
    Retry {
        /// How long to wait.
        delay: Option<Duration>,
        /// Why.
        error: String,
    },
    /// Failed, and no further try can help.
    Dead {
        /// Why.
        error: String,
    },
}
