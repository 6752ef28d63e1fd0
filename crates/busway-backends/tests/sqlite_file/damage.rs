use busway_core::{Body, ErrorKind, LaneId, Log, ReadRequest};
use rusqlite::Connection;
use tempfile::tempdir;
use uuid::Uuid;

use crate::events::{damage_a_page, entries, event, open};

#[tokio::test]
async fn a_row_that_cannot_be_decoded_is_given_as_such_and_hides_no_neighbour() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("busway.db");
    let store = open(&path).await;
    let damages = [
        ("payload = CAST(x'7bff7d' AS TEXT)", "column `payload` is not UTF-8"),
        ("payload = '[1]'", "column `payload` is no JSON object"),
        ("metadata = 'nothing'", "column `metadata` is no JSON object"),
        ("id = x'010203'", "column `id` has 3 bytes"),
        ("tenant = 'no tenant'", "column `tenant`"),
        ("type = CAST(x'ff' AS TEXT)", "column `type` is not UTF-8"),
        ("key = ''", "column `key`"),
    ];
    let outsider = Connection::open(&path).unwrap();
    for (damage, _) in damages {
        let damaged = store.append(&[event(), event()]).await.unwrap()[1].seq;
        outsider.execute(&format!("UPDATE busway_events SET {damage} WHERE place = {damaged}"), []).unwrap();
    }
    let entries = entries(&store).await;
    assert_eq!(entries.len(), damages.len() * 2);
    for (pair, (damage, wanted)) in entries.chunks(2).zip(damages) {
        assert!(pair[0].event().is_some(), "before {damage}");
        match &pair[1].body {
            Body::Undecodable(found) => assert!(found.error.starts_with(wanted), "{damage}: {}", found.error),
            Body::Event(event) => panic!("{damage} was taken for {event:?}"),
        }
    }
    let raw = match &entries[1].body {
        Body::Undecodable(found) => found.raw.clone(),
        Body::Event(_) => unreachable!("it was undecodable above"),
    };
    assert_eq!(&*raw, b"{\xff}");
    assert_eq!(store.fetch(LaneId(0), &[2]).await.unwrap()[0].body, entries[1].body);
    let found = store.find(None, Uuid::nil(), Uuid::max(), 100).await.unwrap();
    assert_eq!(found.len(), damages.len(), "only events are found by id");
}

#[tokio::test]
async fn a_damaged_page_is_told_as_such() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("busway.db");
    damage_a_page(&path).await;
    let store = open(&path).await;
    let error = store.read(ReadRequest::after(LaneId(0), 0, 1_000)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.detail().contains("busway.db"), "{error}");
}

#[tokio::test]
async fn a_table_removed_while_it_is_used_is_named() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("busway.db");
    let store = open(&path).await;
    store.append(&[event()]).await.unwrap();
    Connection::open(&path).unwrap().execute("DROP TABLE busway_events", []).unwrap();
    for error in [store.append(&[event()]).await.unwrap_err(), store.heads().await.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.detail().contains("busway_events"), "{error}");
    }
}
