use std::sync::Arc;

use async_trait::async_trait;
use busway_core::{
    Appended, Capabilities, Entry, Error, ErrorKind, Event, Heads, LaneId, Log, ReadPage, ReadRequest, Result, Seq,
    TenantId, Timestamp, Wake,
};
use uuid::Uuid;

use super::Postgres;

fn absent() -> Error {
    Error::new(ErrorKind::Unsupported, "the log is not there yet")
}

#[async_trait]
impl Log for Postgres {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn lanes(&self) -> u16 {
        self.lanes
    }

    async fn append(&self, _batch: &[Arc<Event>]) -> Result<Vec<Appended>> {
        Err(absent())
    }

    async fn read(&self, _request: ReadRequest) -> Result<ReadPage> {
        Err(absent())
    }

    async fn fetch(&self, _lane: LaneId, _seqs: &[Seq]) -> Result<Vec<Arc<Entry>>> {
        Err(absent())
    }

    async fn heads(&self) -> Result<Heads> {
        Err(absent())
    }

    async fn find(&self, _tenant: Option<&TenantId>, _from: Uuid, _to: Uuid, _max: usize) -> Result<Vec<Arc<Entry>>> {
        Err(absent())
    }

    fn wake(&self) -> Wake {
        tokio::sync::watch::channel(0).1
    }

    async fn prune(&self, _lane: LaneId, _upto: Seq, _before: Timestamp) -> Result<u64> {
        Err(absent())
    }
}
