use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The one permit of a process for runs that are alone.
#[derive(Clone, Debug)]
pub(crate) struct AlonePermit(Arc<Semaphore>);

impl AlonePermit {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }

    /// Waits for it; `None` once the process shuts down.
    pub(crate) async fn acquire(self) -> Option<OwnedSemaphorePermit> {
        self.0.acquire_owned().await.ok()
    }
}
