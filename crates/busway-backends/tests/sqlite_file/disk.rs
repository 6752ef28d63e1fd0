use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use busway_backends::sqlite::{Config, Sqlite};
use busway_core::{ErrorKind, LaneId, Log, Seam, Timestamp};
use tempfile::tempdir;
use uuid::Uuid;

use crate::{
    events::{event, event_with, ids, one_lane, open},
    other_process::{OtherProcess, Role},
};

#[tokio::test]
async fn a_full_disk_refuses_what_does_not_fit_and_nothing_else() {
    let folder = tempdir().unwrap();
    let config = Config { max_size: Some(1 << 20), ..one_lane(&folder.path().join("busway.db")) };
    let store = Sqlite::open(config, Seam::system()).await.unwrap();
    let large = event_with(Uuid::now_v7(), &format!(r#"{{"text":"{}"}}"#, "x".repeat(2 << 20)));
    let (large, neighbours) = ([large], [[event()], [event()]]);
    // All three wait together, so that one transaction takes them.
    let (first, refused, second) =
        tokio::join!(store.append(&neighbours[0]), store.append(&large), store.append(&neighbours[1]));
    let error = refused.unwrap_err();
    assert_eq!((error.kind(), error.is_temporary()), (ErrorKind::StorageFull, false));
    assert!(error.detail().contains("busway.db"), "{error}");
    let seqs = [first.unwrap()[0].seq, second.unwrap()[0].seq];
    assert_eq!(seqs, [1, 2], "the seqs have no gap");
    assert_eq!(ids(&store).await, [neighbours[0][0].id, neighbours[1][0].id]);
}

#[tokio::test]
async fn what_was_acknowledged_before_the_disk_filled_is_there_and_room_made_is_used() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("busway.db");
    let config = Config { max_size: Some(1 << 20), ..one_lane(&path) };
    let store = Sqlite::open(config, Seam::system()).await.unwrap();
    let payload = format!(r#"{{"text":"{}"}}"#, "x".repeat(10_000));
    let mut acknowledged = Vec::new();
    let error = loop {
        let event = event_with(Uuid::now_v7(), &payload);
        match store.append(std::slice::from_ref(&event)).await {
            Ok(_) => acknowledged.push(event.id),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    assert!(acknowledged.len() > 50, "{}", acknowledged.len());
    assert_eq!(ids(&store).await, acknowledged);
    assert_eq!(store.prune(LaneId(0), 50, Timestamp::MAX).await.unwrap(), 50);
    store.append(&[event_with(Uuid::now_v7(), &payload)]).await.unwrap();
    drop(store);
    assert_eq!(ids(&*open(&path).await).await[..acknowledged.len() - 50], acknowledged[50..]);
}

#[tokio::test]
async fn a_file_or_folder_that_cannot_be_written_is_refused_by_name() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("busway.db");
    open(&path).await.close().await;
    let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();

    set(folder.path(), 0o777);
    set(&path, 0o444);
    let refusal = opened_by_anyone(&path).await;
    assert!(refusal.starts_with("storage_full") && refusal.contains("busway.db` is read-only"), "{refusal}");

    set(&path, 0o666);
    set(folder.path(), 0o555);
    let refusal = opened_by_anyone(&path).await;
    assert!(!refusal.starts_with("opened") && refusal.contains("busway.db`"), "{refusal}");

    let refusal = opened_by_anyone(&folder.path().join("deeper/busway.db")).await;
    assert!(refusal.starts_with("unreachable") && refusal.contains("deeper`"), "{refusal}");

    set(folder.path(), 0o777);
    assert_eq!(opened_by_anyone(&path).await, "opened");
}

/// What opening says to a process without privileges, for which alone permissions count.
async fn opened_by_anyone(path: &Path) -> String {
    let mut process = OtherProcess::start_unprivileged(Role::Open, path);
    process.line().expect("the other process says what it met")
}

#[tokio::test]
async fn a_file_removed_or_replaced_while_it_is_open_is_noticed_before_anything_is_acknowledged() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("busway.db");
    for replace in [false, true] {
        let store = open(&path).await;
        store.append(&[event()]).await.unwrap();
        if replace {
            let other = folder.path().join("other.db");
            open(&other).await.close().await;
            fs::rename(&other, &path).unwrap();
        } else {
            fs::remove_file(&path).unwrap();
        }
        for error in [store.append(&[event()]).await.unwrap_err(), store.heads().await.unwrap_err()] {
            assert_eq!((error.kind(), error.is_temporary()), (ErrorKind::PositionLost, false));
            assert!(error.detail().contains("busway.db"), "{error}");
        }
        drop(store);
        for left in ["busway.db", "busway.db-wal", "busway.db-shm"] {
            let _ = fs::remove_file(folder.path().join(left));
        }
    }
}
