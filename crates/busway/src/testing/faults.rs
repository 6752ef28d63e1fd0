use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use busway_core::SubscriptionName;

/// Errors that the next runs of a listener end with, in place of the listener.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    coming: Arc<Mutex<HashMap<SubscriptionName, VecDeque<String>>>>,
}

impl Faults {
    pub(crate) fn add(&self, listener: SubscriptionName, error: String) {
        self.coming.lock().unwrap_or_else(PoisonError::into_inner).entry(listener).or_default().push_back(error);
    }

    pub(crate) fn next(&self, listener: &SubscriptionName) -> Option<String> {
        self.coming.lock().unwrap_or_else(PoisonError::into_inner).get_mut(listener)?.pop_front()
    }
}
