use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use busway_core::{Event, EventType, Owner, SubscriptionName, Timestamp};

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
pub struct Deadline(pub(crate) Arc<tokio::sync::watch::Sender<Duration>>);

impl Deadline {
    /// A deadline this long after the run's start.
    pub(crate) fn after_start(timeout: Duration) -> Self {
        Self(Arc::new(tokio::sync::watch::Sender::new(timeout)))
    }

    /// Gives the run this much more time, counted from its present deadline.
    pub fn extend(&self, by: Duration) {
        self.0.send_modify(|timeout| *timeout = timeout.saturating_add(by));
    }
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
