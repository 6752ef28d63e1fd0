use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use tokio::sync::Notify;

/// Tells any number of watchers that something has changed, in the order in which they began to wait, so that
/// a seeded run is the same each time.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    raised: AtomicU64,
    watchers: AtomicUsize,
    notify: Notify,
}

impl Signal {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Something has changed.
    pub(crate) fn raise(&self) {
        self.raised.fetch_add(1, Ordering::AcqRel);
        self.notify.notify_waiters();
    }

    /// Watches from now on.
    pub(crate) fn watch(self: &Arc<Self>) -> Watcher {
        self.watchers.fetch_add(1, Ordering::AcqRel);
        Watcher { seen: self.raised.load(Ordering::Acquire), signal: Arc::clone(self) }
    }

    /// How many watch.
    pub(crate) fn watchers(&self) -> usize {
        self.watchers.load(Ordering::Acquire)
    }
}

/// One who watches a [`Signal`].
#[derive(Debug)]
pub(crate) struct Watcher {
    signal: Arc<Signal>,
    seen: u64,
}

impl Watcher {
    /// Ends once something has changed since this last ended, or since [`Self::mark_seen`].
    pub(crate) async fn changed(&mut self) {
        loop {
            let notified = self.signal.notify.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            let raised = self.signal.raised.load(Ordering::Acquire);
            if raised != self.seen {
                self.seen = raised;
                return;
            }
            notified.await;
        }
    }

    /// Whatever has changed so far is known.
    pub(crate) fn mark_seen(&mut self) {
        self.seen = self.signal.raised.load(Ordering::Acquire);
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.signal.watchers.fetch_sub(1, Ordering::AcqRel);
    }
}
