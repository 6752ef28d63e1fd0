//! What transactions have published, on its way from an outbox to the log.

#![allow(clippy::unwrap_used, reason = "an engine that cannot be started ends its test")]

mod idling;
mod memory_outbox;
mod refused;
mod relaying;

use std::{sync::Arc, time::Duration};

use busway_core::{EventType, LaneId, ReadRequest, Seam, Stores, memory::Memory};
use busway_engine::{Config, Engine};

use memory_outbox::MemoryOutbox;

/// A store in memory and an outbox beside it.
struct Place {
    outbox: Arc<MemoryOutbox>,
    stores: Stores,
}

impl Place {
    fn new() -> Self {
        let outbox = Arc::new(MemoryOutbox::new());
        let stores = Stores { outbox: Some(outbox.clone()), ..Memory::new(Seam::system()).stores() };
        Self { outbox, stores }
    }

    async fn engine(&self) -> Engine {
        self.engine_with(Config { lease: Duration::from_secs(600), ..Config::default() }).await
    }

    async fn engine_with(&self, config: Config) -> Engine {
        Engine::start(self.stores.clone(), config, Seam::system()).await.unwrap()
    }

    /// Payloads of the log's events of this type, in their order.
    async fn stored(&self, event_type: &str) -> Vec<String> {
        let page = self.stores.log.read(ReadRequest::after(LaneId(0), 0, 100_000)).await.unwrap();
        let wanted = EventType::new(event_type).unwrap();
        let events = page.entries.iter().filter_map(|entry| entry.event());
        events.filter(|event| event.event_type == wanted).map(|event| event.payload.as_str().to_owned()).collect()
    }
}
