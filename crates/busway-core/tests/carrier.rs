//! A backend that only carries events, and refuses what it declares that it cannot do, is in order.

mod in_memory;

use std::sync::Arc;

use async_trait::async_trait;
use busway_core::{
    Appended, Capabilities, Dedupe, Entry, Error, ErrorKind, Event, Heads, LaneId, Log, ReadPage, ReadRequest, Result,
    Seq, Stores, TenantId, Timestamp, Wake, conformance::Backend,
};
use in_memory::InMemory;
use uuid::Uuid;

struct Carrier {
    log: Arc<dyn Log>,
    capabilities: Capabilities,
}

fn unsupported<T>() -> Result<T> {
    Err(Error::new(ErrorKind::Unsupported, "events are carried and not kept"))
}

#[async_trait]
impl Log for Carrier {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn lanes(&self) -> u16 {
        self.log.lanes()
    }

    async fn append(&self, batch: &[Arc<Event>]) -> Result<Vec<Appended>> {
        self.log.append(batch).await
    }

    async fn read(&self, _request: ReadRequest) -> Result<ReadPage> {
        unsupported()
    }

    async fn fetch(&self, _lane: LaneId, _seqs: &[Seq]) -> Result<Vec<Arc<Entry>>> {
        unsupported()
    }

    async fn heads(&self) -> Result<Heads> {
        unsupported()
    }

    async fn find(&self, _tenant: Option<&TenantId>, _from: Uuid, _to: Uuid, _max: usize) -> Result<Vec<Arc<Entry>>> {
        unsupported()
    }

    fn wake(&self) -> Wake {
        self.log.wake()
    }

    async fn prune(&self, _lane: LaneId, _upto: Seq, _before: Timestamp) -> Result<u64> {
        unsupported()
    }
}

struct Carried(InMemory);

#[async_trait]
impl Backend for Carried {
    async fn open(&self) -> Result<Stores> {
        let stores = self.0.open().await?;
        let declared = stores.log.capabilities().clone();
        let capabilities =
            Capabilities { name: "carrier", read: false, prune: false, dedupe: Dedupe::None, ..declared };
        Ok(Stores { log: Arc::new(Carrier { log: stores.log, capabilities }), ..stores })
    }
}

busway_core::conformance_tests!(|| async { Carried(InMemory::with_lanes(8)) });
