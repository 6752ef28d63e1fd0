use std::fmt;

use busway_core::{Event, SubscriptionName};
use busway_engine::DeliveryState;
use std::sync::Arc;

/// What became of everything that was published on a test's bus.
#[derive(Clone, Debug, Default)]
#[must_use = "call assert_ok, or look at what was not handled"]
pub struct Report {
    /// Events published so far, duplicates left out.
    pub published: usize,
    /// Deliveries that are not acknowledged, in the order of their events.
    pub unhandled: Vec<Unhandled>,
}

/// A delivery that is not acknowledged.
#[derive(Clone, Debug)]
pub struct Unhandled {
    /// Whose listener.
    pub listener: SubscriptionName,
    /// The event.
    pub event: Arc<Event>,
    /// Held for another run, dead, or waiting: not run yet, or running.
    pub state: DeliveryState,
    /// Runs begun.
    pub attempts: u32,
    /// The last run's error.
    pub error: Option<String>,
}

impl Report {
    /// Panics unless every delivery is acknowledged, and says which is not: listener, event, error.
    #[track_caller]
    pub fn assert_ok(&self) {
        assert!(self.unhandled.is_empty(), "{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.unhandled.is_empty() {
            return write!(f, "{} events, all handled", self.published);
        }
        write!(f, "{} of the deliveries of {} events are not handled:", self.unhandled.len(), self.published)?;
        self.unhandled.iter().try_for_each(|unhandled| write!(f, "\n  {unhandled}"))
    }
}

impl fmt::Display for Unhandled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { listener, event, .. } = self;
        write!(f, "{listener}: {} {} of {}", event.event_type, event.id, event.tenant)?;
        match self.state {
            DeliveryState::Dead => write!(f, ", dead after attempt {}", self.attempts)?,
            DeliveryState::Held => write!(f, ", held after attempt {}", self.attempts)?,
            DeliveryState::Waiting | DeliveryState::Delivered => write!(f, ", not handled yet")?,
        }
        match &self.error {
            Some(error) => write!(f, ": {error}"),
            None => Ok(()),
        }
    }
}
