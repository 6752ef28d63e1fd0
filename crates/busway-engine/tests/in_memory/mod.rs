use std::sync::Arc;

use busway_core::{ManualClock, Result, Seam, SeededRandom, Stores, Timestamp, conformance::Backend, memory::Memory};

/// The memory backend on a held clock.
pub(crate) struct InMemory {
    stores: Stores,
    clock: Arc<ManualClock>,
}

impl InMemory {
    pub(crate) fn with_lanes(lanes: u16) -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_760_000_000_000)));
        let seam = Seam::new(clock.clone(), Arc::new(SeededRandom::new(u64::from(lanes))));
        Self { stores: Memory::with_lanes(seam, lanes).stores(), clock }
    }
}

#[async_trait::async_trait]
impl Backend for InMemory {
    async fn open(&self) -> Result<Stores> {
        Ok(self.stores.clone())
    }

    fn clock(&self) -> Option<Arc<ManualClock>> {
        Some(self.clock.clone())
    }
}
