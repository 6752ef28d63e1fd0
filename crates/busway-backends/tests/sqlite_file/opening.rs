use std::fs;

use busway_backends::sqlite::{Config, Sqlite};
use busway_core::{ErrorKind, Log, Seam};
use rusqlite::Connection;
use tempfile::tempdir;

use crate::events::{event, ids, one_lane, open};

async fn refusal(config: Config) -> busway_core::Error {
    Sqlite::open(config, Seam::system()).await.map(drop).unwrap_err()
}

#[tokio::test]
async fn missing_folders_are_made_and_what_was_stored_is_there_again() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("a/b/busway.db");
    let store = open(&path).await;
    let event = event();
    store.append(std::slice::from_ref(&event)).await.unwrap();
    let heads = store.heads().await.unwrap();
    drop(store);
    let again = open(&path).await;
    assert_eq!(ids(&again).await, [event.id]);
    assert_eq!(again.heads().await.unwrap(), heads);
}

#[tokio::test]
async fn closing_carries_out_what_was_asked_empties_the_wal_and_refuses_the_rest() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("busway.db");
    let store = open(&path).await;
    let (first, event) = (event(), event());
    let batch = [first];
    let (stored, ()) = tokio::join!(store.append(&batch), store.close());
    stored.unwrap();
    assert!(!folder.path().join("busway.db-wal").exists());
    assert_eq!(store.append(&[event]).await.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(store.heads().await.unwrap_err().kind(), ErrorKind::Closed);
    store.close().await;
}

#[tokio::test]
async fn what_is_no_sqlite_file_is_left_alone_and_named() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    fs::write(&path, "not a database, but long enough to be taken for one. ".repeat(40)).unwrap();
    let error = refusal(one_lane(&path)).await;
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.detail().contains("notes.txt"), "{error}");
    assert!(fs::read_to_string(&path).unwrap().starts_with("not a database"));
    assert_eq!(refusal(one_lane(folder.path())).await.kind(), ErrorKind::InvalidConfiguration);
}

#[tokio::test]
async fn a_file_that_needs_a_newer_busway_is_refused_and_one_that_does_not_is_used() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("busway.db");
    open(&path).await.close().await;
    let newer = Connection::open(&path).unwrap();
    newer.execute("UPDATE busway_meta SET value = 99 WHERE key = 'version'", []).unwrap();
    open(&path).await.close().await;
    newer.execute("UPDATE busway_meta SET value = 98 WHERE key = 'usable_from'", []).unwrap();
    let error = refusal(one_lane(&path)).await;
    assert_eq!(error.kind(), ErrorKind::StoreTooNew);
    assert!(error.to_string().contains("98") && error.to_string().contains("busway.db"), "{error}");
}

#[tokio::test]
async fn the_number_of_lanes_stays_as_it_was_made() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("busway.db");
    let make = Sqlite::open(Config { lanes: Some(3), ..Config::new(&path) }, Seam::system()).await.unwrap();
    assert_eq!((make.lanes(), make.heads().await.unwrap().seqs), (3, vec![0; 3]));
    let unsaid = Sqlite::open(Config::new(&path), Seam::system()).await.unwrap();
    assert_eq!(unsaid.lanes(), 3);
    let error = refusal(Config { lanes: Some(4), ..Config::new(&path) }).await;
    assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
    assert!(error.detail().contains("made with 3"), "{error}");
}

#[tokio::test]
async fn a_backup_put_in_the_place_of_the_file_has_another_epoch() {
    let folder = tempdir().unwrap();
    let (path, backup) = (folder.path().join("busway.db"), folder.path().join("backup.db"));
    let store = open(&path).await;
    let epoch = store.heads().await.unwrap().epoch;
    drop(store);
    fs::copy(&path, &backup).unwrap();
    let store = open(&path).await;
    assert_eq!(store.heads().await.unwrap().epoch, epoch);
    drop(store);
    fs::rename(&backup, &path).unwrap();
    let restored = open(&path).await;
    assert_ne!(restored.heads().await.unwrap().epoch, epoch);
}

#[tokio::test]
async fn the_applications_own_tables_and_version_in_the_same_file_stay() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("app.db");
    let app = Connection::open(&path).unwrap();
    app.execute_batch("CREATE TABLE events (id INTEGER PRIMARY KEY); PRAGMA user_version = 7").unwrap();
    let store = open(&path).await;
    let event = event();
    store.append(std::slice::from_ref(&event)).await.unwrap();
    app.execute("INSERT INTO events DEFAULT VALUES", []).unwrap();
    assert_eq!(app.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0)).unwrap(), 7);
    assert_eq!(ids(&store).await, [event.id]);
}

#[tokio::test]
async fn the_registry_opens_by_url_and_names_what_it_does_not_know() {
    let folder = tempdir().unwrap();
    let url = format!("sqlite:{}?lanes=2&synchronous=normal", folder.path().join("busway.db").display());
    let stores = busway_backends::open(&url, Seam::system()).await.unwrap();
    assert_eq!((stores.log.capabilities().name, stores.log.lanes()), ("sqlite", 2));
    assert!(stores.same_database);
    let error = busway_backends::open("mysql://localhost", Seam::system()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
    assert!(error.detail().contains("`mysql`") && error.detail().contains("`sqlite`"), "{error}");
    let error = busway_backends::open("sqlite::memory:", Seam::system()).await.unwrap_err();
    assert!(error.detail().contains("use `memory:`"), "{error}");
}
