//! The memory backend keeps every promise of a backend, with one lane and with eight, and those of its own.

mod in_memory;

use std::{sync::Arc, time::Duration};

use busway_core::{
    Checkpoint, Direction, ErrorKind, Event, EventType, Filter, KeyId, LaneCommit, LaneId, Metadata, Patterns, Payload,
    ReadRequest, Seam, Seq, Stores, SubscriptionId, TenantId, Timestamp, memory::Memory,
};
use in_memory::InMemory;
use uuid::Uuid;

mod one_lane {
    busway_core::conformance_tests!(|| async { super::InMemory::with_lanes(1) });
}

mod eight_lanes {
    busway_core::conformance_tests!(|| async { super::InMemory::with_lanes(8) });
}

const LANE: LaneId = LaneId(0);

fn event(n: u128, event_type: &str) -> Arc<Event> {
    Arc::new(Event {
        id: Uuid::from_u128(n),
        event_type: EventType::from_store(event_type),
        tenant: TenantId::from_store("acme"),
        key: None,
        time: Timestamp::from_millis(0),
        payload: Payload::empty(),
        metadata: Metadata::default(),
    })
}

fn events(ids: std::ops::Range<u128>) -> Vec<Arc<Event>> {
    ids.map(|n| event(n, "check.made")).collect()
}

fn full_at(most: usize) -> Stores {
    Memory::new(Seam::system()).most_events(most).stores()
}

#[tokio::test]
async fn a_full_store_refuses_a_batch_whole_until_it_is_pruned() {
    let log = full_at(10).log;
    log.append(&events(0..8)).await.unwrap();
    let refused = log.append(&events(8..11)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::StorageFull);
    assert_eq!(log.heads().await.unwrap().seqs, [8]);
    log.append(&events(8..10)).await.unwrap();
    assert_eq!(log.append(&events(10..11)).await.unwrap_err().kind(), ErrorKind::StorageFull);
    log.prune(LANE, 1, Timestamp::MAX).await.unwrap();
    log.append(&events(10..11)).await.unwrap();
    assert_eq!(log.heads().await.unwrap().seqs, [11]);
}

#[tokio::test]
async fn a_full_store_still_recognises_repeats() {
    let log = full_at(10).log;
    let first = log.append(&events(0..10)).await.unwrap();
    let again = log.append(&events(0..10)).await.unwrap();
    assert!(again.iter().all(|told| told.duplicate));
    assert!(first.iter().zip(&again).all(|(first, again)| first.seq == again.seq));
    let twice = [events(10..11), events(10..11)].concat();
    assert_eq!(log.append(&twice).await.unwrap_err().kind(), ErrorKind::StorageFull);
}

#[tokio::test]
async fn an_id_is_remembered_as_long_as_its_event_is_kept() {
    let log = full_at(10).log;
    let other = Arc::new(Event { tenant: TenantId::from_store("bolt"), ..Event::clone(&event(1, "check.made")) });
    log.append(&[event(1, "check.made"), other.clone()]).await.unwrap();
    log.prune(LANE, 1, Timestamp::MAX).await.unwrap();
    let told = log.append(&[other, event(1, "check.made")]).await.unwrap();
    assert_eq!(told.iter().map(|told| (told.seq, told.duplicate)).collect::<Vec<_>>(), [(2, true), (3, false)]);
    log.prune(LANE, 3, Timestamp::MAX).await.unwrap();
    assert_eq!(log.find(None, Uuid::nil(), Uuid::max(), 10).await.unwrap(), []);
    assert!(!log.append(&[event(1, "check.made")]).await.unwrap()[0].duplicate);
}

#[tokio::test]
async fn stored_at_follows_the_clock_forward_and_waits_for_it_when_it_jumps_back() {
    let store = InMemory::with_lanes(1);
    let start = 1_767_225_600_000;
    let mut stored_at = Vec::new();
    for (n, jump) in [0, 3_600_000, -7_200_000, 0].into_iter().enumerate() {
        store.clock.jump(jump);
        store.clock.advance(Duration::from_millis(5));
        stored_at.push(store.stores.log.append(&[event(n as u128, "check.made")]).await.unwrap()[0].stored_at);
    }
    let millis: Vec<_> = stored_at.iter().map(|time| time.as_millis() - start).collect();
    assert_eq!(millis, [5, 3_600_010, 3_600_010, 3_600_010]);
}

#[tokio::test]
async fn a_long_lane_is_read_and_searched_over_several_strides() {
    let log = Memory::new(Seam::system()).stores().log;
    let rare: Vec<u128> = vec![0, 4_094, 4_095, 4_096, 4_097, 8_191, 8_192, 9_999];
    let all: Vec<_> = (0..10_000).map(|n| event(n, if rare.contains(&n) { "rare" } else { "check.made" })).collect();
    log.append(&all).await.unwrap();
    for pruned in [0, 1, 3_000] {
        log.prune(LANE, pruned, Timestamp::MAX).await.unwrap();
        let wanted: Vec<Seq> = rare.iter().map(|n| *n as Seq + 1).filter(|seq| *seq > pruned).collect();
        let types = Some(Arc::new(Patterns::parse(["rare"]).unwrap()));
        let forward = ReadRequest { filter: Filter { types, ..Filter::default() }, ..ReadRequest::after(LANE, 0, 100) };
        let page = log.read(forward.clone()).await.unwrap();
        assert_eq!(page.entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), wanted);
        assert_eq!(page.looked, 10_000);
        let page = log.read(ReadRequest { until: 9_000, ..forward.clone() }).await.unwrap();
        assert_eq!(page.looked, 9_000);
        let backward = ReadRequest { direction: Direction::Backward, after: Seq::MAX, ..forward };
        let page = log.read(backward).await.unwrap();
        assert_eq!(page.entries.iter().rev().map(|entry| entry.seq).collect::<Vec<_>>(), wanted);
        assert_eq!(page.looked, 0);
        let found = log.find(None, Uuid::from_u128(4_000), Uuid::from_u128(9_000), 4_500).await.unwrap();
        assert_eq!(found.iter().map(|entry| entry.seq).collect::<Vec<_>>(), (4_001..=8_500).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_chunk_of_a_key_without_a_hold_is_a_defect_that_shows() {
    let InMemory { stores, .. } = InMemory::with_lanes(1);
    let id = SubscriptionId(Uuid::from_u128(1));
    let record = serde_json::from_value(serde_json::json!({
        "id": id, "owner": "*", "name": "billing", "version": 1, "revision": 1, "earlier": [], "control": "running",
        "definition": { "types": ["*"], "mode": "run" }, "replay": null,
        "madeAt": "2026-01-01T00:00:00Z", "readAt": "2026-01-01T00:00:00Z",
    }));
    assert!(stores.checkpoints.save_subscription(&record.unwrap(), None, &[0]).await.unwrap());
    let start = Checkpoint::starting(0, 1);
    let next = Checkpoint { version: start.version.next(), ..start.clone() };
    let commit = LaneCommit { chunks: vec![(KeyId(1), vec![2])], ..LaneCommit::new(id, LANE, start.version, next) };
    let error = stores.checkpoints.commit(commit).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert_eq!(stores.checkpoints.lane(id, LANE).await.unwrap().unwrap().checkpoint, start);
}
