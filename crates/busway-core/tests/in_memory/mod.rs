use std::sync::Arc;

use async_trait::async_trait;
use busway_core::{ManualClock, Result, Seam, SeededRandom, Stores, Timestamp, conformance::Backend, memory::Memory};

/// A memory store whose clock the test holds.
pub(crate) struct InMemory {
    pub(crate) stores: Stores,
    pub(crate) clock: Arc<ManualClock>,
}

impl InMemory {
    pub(crate) fn with_lanes(lanes: u16) -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_767_225_600_000)));
        let seam = Seam::new(clock.clone(), Arc::new(SeededRandom::new(1)));
        Self { stores: Memory::with_lanes(seam, lanes).stores(), clock }
    }
}

#[async_trait]
impl Backend for InMemory {
    async fn open(&self) -> Result<Stores> {
        Ok(self.stores.clone())
    }

    fn clock(&self) -> Option<Arc<ManualClock>> {
        Some(self.clock.clone())
    }
}
