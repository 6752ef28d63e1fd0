use std::sync::Arc;

use async_trait::async_trait;

use crate::{ManualClock, Result, Stores};

/// An empty store of the backend under test, made for one check.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// Opens the store: the first time empty, then the same store again, as another process would where
    /// [`Capabilities::shared`](crate::Capabilities::shared) is declared, else as another part of this one.
    async fn open(&self) -> Result<Stores>;

    /// The clock that the store takes its times from, if the test holds it.
    fn clock(&self) -> Option<Arc<ManualClock>> {
        None
    }

    /// Removes the store, once its check is over.
    async fn remove(&self) {}
}
