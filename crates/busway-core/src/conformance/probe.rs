use std::{future::Future, sync::Arc};

use tokio::task::JoinSet;
use uuid::Uuid;

use super::{Backend, Failed};
use crate::{
    Appended, Capabilities, Checkpoints, Entry, Event, EventType, Filter, Key, LaneId, Log, Metadata, Payload,
    ReadRequest, Result, Seam, Seq, Stores, TenantId, Timestamp, lane_of,
};

/// The store under test and what a check needs to work on it.
pub(super) struct Probe {
    backend: Arc<dyn Backend>,
    stores: Stores,
    seam: Seam,
}

impl Probe {
    pub(super) async fn of(backend: Arc<dyn Backend>) -> Result<Self> {
        let stores = backend.open().await?;
        Ok(Self { backend, stores, seam: Seam::system() })
    }

    pub(super) fn backend(&self) -> &dyn Backend {
        &*self.backend
    }

    pub(super) fn stores(&self) -> Stores {
        self.stores.clone()
    }

    pub(super) fn log(&self) -> &dyn Log {
        &*self.stores.log
    }

    pub(super) fn checkpoints(&self) -> &dyn Checkpoints {
        &*self.stores.checkpoints
    }

    pub(super) fn capabilities(&self) -> &Capabilities {
        self.stores.log.capabilities()
    }

    /// The same store through another handle.
    pub(super) async fn again(&self) -> Result<Self> {
        Self::of(self.backend.clone()).await
    }

    pub(super) fn lanes(&self) -> impl Iterator<Item = LaneId> + use<> {
        (0..self.log().lanes()).map(LaneId)
    }

    pub(super) fn id(&self) -> Uuid {
        self.seam.id()
    }

    /// The tenant of events where nothing else is said.
    pub(super) fn tenant(&self) -> TenantId {
        TenantId::from_store("acme")
    }

    /// An event like any other, without a key.
    pub(super) fn event(&self) -> Event {
        Event {
            id: self.id(),
            event_type: EventType::from_store("check.made"),
            tenant: self.tenant(),
            key: None,
            time: Timestamp::from_millis(1_767_225_600_123),
            payload: Payload::from_store(r#"{"n":1}"#),
            metadata: Metadata::default(),
        }
    }

    /// An event that belongs to this lane, whatever its type.
    pub(super) fn event_in(&self, lane: LaneId) -> Event {
        self.event_of(&self.tenant(), lane)
    }

    /// An event of a tenant that belongs to this lane, whatever its type.
    pub(super) fn event_of(&self, tenant: &TenantId, lane: LaneId) -> Event {
        Event { tenant: tenant.clone(), key: Some(self.key_in(tenant, lane)), ..self.event() }
    }

    /// A key whose events belong to this lane.
    fn key_in(&self, tenant: &TenantId, lane: LaneId) -> Key {
        let event_type = EventType::from_store("any");
        let mut keys = (0_u32..).map(|n| Key::from_store(format!("key-{n}")));
        let found = keys.find(|key| lane_of(tenant, Some(key), &event_type, self.log().lanes()) == lane);
        found.unwrap_or_else(|| Key::from_store("key"))
    }

    /// Different events that all belong to this lane.
    pub(super) fn events_in(&self, lane: LaneId, count: usize) -> Vec<Arc<Event>> {
        let event = self.event_in(lane);
        (0..count).map(|_| Arc::new(Event { id: self.id(), ..event.clone() })).collect()
    }

    /// Different events that belong to the lanes in turn.
    pub(super) fn events(&self, count: usize) -> Vec<Arc<Event>> {
        let samples: Vec<Event> = self.lanes().map(|lane| self.event_in(lane)).collect();
        let events = samples.iter().cycle().take(count);
        events.map(|sample| Arc::new(Event { id: self.id(), ..sample.clone() })).collect()
    }

    pub(super) async fn append(&self, event: Event) -> Result<Appended, Failed> {
        appended_by(self.log(), Arc::new(event)).await
    }

    /// Everything wanted of a lane, read page by page.
    pub(super) async fn read_all(&self, lane: LaneId, filter: &Filter) -> Result<Vec<Arc<Entry>>, Failed> {
        read_all(self.log(), lane, filter).await
    }

    /// Everything of every lane, lane by lane.
    pub(super) async fn everything(&self) -> Result<Vec<Arc<Entry>>, Failed> {
        let mut entries = Vec::new();
        for lane in self.lanes() {
            entries.extend(self.read_all(lane, &Filter::default()).await?);
        }
        Ok(entries)
    }
}

/// Appends one event.
pub(super) async fn appended_by(log: &dyn Log, event: Arc<Event>) -> Result<Appended, Failed> {
    let appended = log.append(&[event]).await?;
    ensure_eq!(appended.len(), 1, "answers to an append of one event");
    Ok(appended[0])
}

/// Everything wanted of a lane, read page by page.
pub(super) async fn read_all(log: &dyn Log, lane: LaneId, filter: &Filter) -> Result<Vec<Arc<Entry>>, Failed> {
    let mut entries = Vec::new();
    let mut after = 0;
    loop {
        let page = log.read(ReadRequest { filter: filter.clone(), ..ReadRequest::after(lane, after, 500) }).await?;
        let is_last = page.entries.is_empty() && page.looked == after;
        ensure!(is_last || page.looked > after, "a read after {after} looked back to {}", page.looked);
        after = page.looked;
        entries.extend(page.entries);
        if is_last {
            return Ok(entries);
        }
    }
}

/// The ids of entries, in their order; those that are no events are left out.
pub(super) fn ids(entries: &[Arc<Entry>]) -> Vec<Uuid> {
    entries.iter().filter_map(|entry| entry.event()).map(|event| event.id).collect()
}

/// The seqs of entries, in their order.
pub(super) fn seqs(entries: &[Arc<Entry>]) -> Vec<Seq> {
    entries.iter().map(|entry| entry.seq).collect()
}

/// Runs all at once, each as a task of its own, and gives what they gave in the order they ended.
pub(super) async fn at_once<T: Send + 'static>(
    tasks: impl IntoIterator<Item = impl Future<Output = Result<T, Failed>> + Send + 'static>,
) -> Result<Vec<T>, Failed> {
    let mut running: JoinSet<_> = tasks.into_iter().collect();
    let mut given = Vec::with_capacity(running.len());
    while let Some(ended) = running.join_next().await {
        given.push(ended??);
    }
    Ok(given)
}
