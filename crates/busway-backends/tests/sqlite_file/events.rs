//! Events to store, and what is stored.

use std::{
    fs::File,
    io::{Seek, SeekFrom, Write},
    path::Path,
    sync::Arc,
};

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

/// Makes a file with events in it and overwrites a part in its middle.
pub(crate) async fn damage_a_page(path: &Path) {
    let store = open(path).await;
    let payload = format!(r#"{{"text":"{}"}}"#, "x".repeat(1_000));
    let batch: Vec<_> = (0..200).map(|_| event_with(Uuid::now_v7(), &payload)).collect();
    store.append(&batch).await.unwrap();
    store.close().await;
    let mut file = File::options().write(true).open(path).unwrap();
    let end = file.metadata().unwrap().len();
    file.seek(SeekFrom::Start(end / 2 / 4_096 * 4_096)).unwrap();
    file.write_all(&vec![0x5a; (end / 4) as usize]).unwrap();
}
