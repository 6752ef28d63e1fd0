//! Events to store, and what is stored.

use std::{path::Path, sync::Arc};

use busway_backends::sqlite::{Config, Sqlite};
use busway_core::{Entry, Event, LaneId, Log, Metadata, Payload, ReadRequest, Seam};
use uuid::Uuid;

/// A store with one lane.
pub(crate) async fn open(path: &Path) -> Arc<Sqlite> {
    Sqlite::open(one_lane(path), Seam::system()).await.unwrap()
}

pub(crate) fn one_lane(path: &Path) -> Config {
    Config { lanes: Some(1), readers: 1, ..Config::new(path) }
}

pub(crate) fn event() -> Arc<Event> {
    event_with(Uuid::now_v7(), "{}")
}

pub(crate) fn event_with(id: Uuid, payload: &str) -> Arc<Event> {
    Arc::new(Event {
        id,
        event_type: "shift.created".parse().unwrap(),
        tenant: "acme".parse().unwrap(),
        key: Some("shift-7".parse().unwrap()),
        time: Seam::system().now(),
        payload: Payload::from_json(payload).unwrap(),
        metadata: Metadata::default(),
    })
}

/// Every entry of the first lane.
pub(crate) async fn entries(store: &Sqlite) -> Vec<Arc<Entry>> {
    let (mut entries, mut after) = (Vec::new(), 0);
    loop {
        let page = store.read(ReadRequest::after(LaneId(0), after, 1_000)).await.unwrap();
        if page.entries.is_empty() {
            return entries;
        }
        after = page.looked;
        entries.extend(page.entries);
    }
}

/// The ids in the first lane.
pub(crate) async fn ids(store: &Sqlite) -> Vec<Uuid> {
    entries(store).await.iter().filter_map(|entry| entry.event().map(|event| event.id)).collect()
}
