use std::{future::Future, sync::Arc, time::Duration};

use busway_backends::postgres::{Config, Postgres};
use busway_core::{
    Appended, Entry, Event, EventType, Key, LaneId, Log, Metadata, Payload, ReadRequest, Result, Seam, TenantId,
    Timestamp, lane_of,
};
use uuid::Uuid;

/// Against hanging; what is waited for comes within milliseconds.
const LIMIT: Duration = Duration::from_secs(60);

/// Opens a store with further parameters of its URL, such as `lanes=1&pool=2`.
pub(crate) async fn open(url: &str, parameters: &str) -> Arc<Postgres> {
    try_open(url, parameters).await.unwrap()
}

pub(crate) async fn try_open(url: &str, parameters: &str) -> Result<Arc<Postgres>> {
    Postgres::open(Config::from_url(&with(url, parameters))?, Seam::system()).await
}

pub(crate) fn with(url: &str, parameters: &str) -> String {
    format!("{url}{}{parameters}", if url.contains('?') { '&' } else { '?' })
}

pub(crate) fn event(id: Uuid) -> Arc<Event> {
    event_of(id, "{}")
}

pub(crate) fn event_of(id: Uuid, payload: &str) -> Arc<Event> {
    Arc::new(Event {
        id,
        event_type: EventType::new("shift.created").unwrap(),
        tenant: TenantId::new("acme").unwrap(),
        key: Some(Key::new(format!("key-{}", id.as_u128() % 97)).unwrap()),
        time: Timestamp::from_millis(1_767_225_600_123),
        payload: Payload::from_json(payload).unwrap(),
        metadata: Metadata::default(),
    })
}

/// New events of about a kilobyte each.
pub(crate) fn large(count: usize) -> Vec<Arc<Event>> {
    let payload = format!(r#"{{"a":"{}"}}"#, "x".repeat(1_000));
    (0..count).map(|_| event_of(Uuid::now_v7(), &payload)).collect()
}

pub(crate) async fn append_one(log: &Postgres) -> Appended {
    log.append(&[event(Uuid::now_v7())]).await.unwrap()[0]
}

/// Everything of a lane, read in small pages.
pub(crate) async fn read_all(log: &Postgres, lane: LaneId) -> Vec<Arc<Entry>> {
    let (mut after, mut entries) = (0, Vec::new());
    loop {
        let page = log.read(ReadRequest::after(lane, after, 50)).await.unwrap();
        if page.entries.is_empty() && page.looked == after {
            return entries;
        }
        after = page.looked;
        entries.extend(page.entries);
    }
}

pub(crate) fn ids(entries: &[Arc<Entry>]) -> Vec<Uuid> {
    entries.iter().filter_map(|entry| entry.event()).map(|event| event.id).collect()
}

/// Fails unless the log holds these events and no others, in their order within each lane.
pub(crate) async fn assert_holds(log: &Postgres, events: &[Arc<Event>]) {
    for lane in (0..log.lanes()).map(LaneId) {
        let of_lane =
            |event: &&Arc<Event>| lane_of(&event.tenant, event.key.as_ref(), &event.event_type, log.lanes()) == lane;
        let expected: Vec<Uuid> = events.iter().filter(of_lane).map(|event| event.id).collect();
        assert_eq!(ids(&read_all(log, lane).await), expected, "lane {lane}");
    }
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(LIMIT, waiting).await.is_ok(), "not within {LIMIT:?}: {what}");
}

/// Waits for something that must come.
pub(crate) async fn soon<T>(what: &str, coming: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, coming).await.unwrap_or_else(|_| panic!("not within {LIMIT:?}: {what}"))
}
