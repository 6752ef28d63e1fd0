//! The memory backend keeps every promise of a backend, with one lane and with eight.

use std::sync::Arc;

use async_trait::async_trait;
use busway_core::{ManualClock, Result, Seam, SeededRandom, Stores, Timestamp, conformance::Backend, memory::Memory};

struct InMemory {
    stores: Stores,
    clock: Arc<ManualClock>,
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

async fn with_lanes(lanes: u16) -> InMemory {
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_767_225_600_000)));
    let seam = Seam::new(clock.clone(), Arc::new(SeededRandom::new(1)));
    InMemory { stores: Memory::with_lanes(seam, lanes).stores(), clock }
}

mod one_lane {
    busway_core::conformance_tests!(|| super::with_lanes(1));
}

mod eight_lanes {
    busway_core::conformance_tests!(|| super::with_lanes(8));
}
