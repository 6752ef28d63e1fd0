use std::{collections::HashSet, time::Duration};

use busway_core::Log;
use tempfile::tempdir;
use uuid::Uuid;

use crate::{
    events::{event, ids, open},
    other_process::{OtherProcess, Role, SAME},
};

#[tokio::test]
async fn every_acknowledged_event_survives_a_kill_of_the_process_that_writes() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("busway.db");
    for _ in 0..3 {
        let mut publisher = OtherProcess::start(Role::PublishOn, &path);
        let mut acknowledged: Vec<String> = (0..100).map(|_| publisher.line().unwrap()).collect();
        acknowledged.extend(publisher.kill());
        let stored: HashSet<Uuid> = ids(&*open(&path).await).await.into_iter().collect();
        for id in &acknowledged {
            assert!(stored.contains(&id.parse().unwrap()), "{id} was acknowledged and is lost");
        }
    }
}

#[tokio::test]
async fn eight_processes_that_open_a_new_file_at_once_make_one_store() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("new/busway.db");
    let mut openers: Vec<_> = (0..8).map(|_| OtherProcess::start(Role::Make, &path)).collect();
    openers.iter_mut().for_each(OtherProcess::go);
    let stores: HashSet<String> = openers.iter_mut().map(|opener| opener.line().expect("it opens")).collect();
    assert_eq!(stores.len(), 1, "{stores:?}");
}

#[tokio::test]
async fn the_same_events_from_several_processes_at_once_are_stored_once() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("busway.db");
    let mut publishers: Vec<_> = (0..3).map(|_| OtherProcess::start(Role::PublishSame, &path)).collect();
    publishers.iter_mut().for_each(|publisher| assert_eq!(publisher.line().as_deref(), Some("ready")));
    publishers.iter_mut().for_each(OtherProcess::go);
    let said: Vec<String> =
        publishers.iter_mut().flat_map(|publisher| std::iter::from_fn(|| publisher.line())).collect();
    let firsts = said.iter().filter(|said| *said == "first").count() as u128;
    assert_eq!((said.len() as u128, firsts), (3 * SAME, SAME));
    let mut stored = ids(&*open(&path).await).await;
    stored.sort();
    assert_eq!(stored, (1..=SAME).map(Uuid::from_u128).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_append_by_another_process_wakes_readers_here() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("busway.db");
    let store = open(&path).await;
    let mut wake = store.wake();
    let mut publisher = OtherProcess::start(Role::PublishOne, &path);
    assert_eq!(publisher.line().as_deref(), Some("ready"));
    wake.mark_unchanged();
    publisher.go();
    tokio::time::timeout(Duration::from_secs(30), wake.changed()).await.expect("a wake-up").unwrap();
    assert_eq!(ids(&store).await.len(), 1);
}

#[tokio::test]
async fn a_process_that_writes_without_a_pause_lets_another_write_too() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("busway.db");
    let mut rival = OtherProcess::start(Role::PublishOn, &path);
    rival.line().unwrap();
    let store = open(&path).await;
    let mut seqs = Vec::new();
    for _ in 0..50 {
        let batch = [event()];
        let append = tokio::time::timeout(Duration::from_secs(20), store.append(&batch));
        seqs.push(append.await.expect("its turn").unwrap()[0].seq);
    }
    rival.kill();
    assert!(seqs.is_sorted_by(|a, b| a < b), "{seqs:?}");
    let stored = ids(&store).await.len() as u64;
    assert_eq!(store.heads().await.unwrap().seqs, [stored], "seqs are given once and without gaps");
}

#[tokio::test]
async fn a_store_that_is_opened_with_events_in_it_is_woken_by_what_is_new_alone() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("busway.db");
    let first = event();
    open(&path).await.append(std::slice::from_ref(&first)).await.unwrap();
    let store = open(&path).await;
    let wake = store.wake();
    assert!(store.append(&[first]).await.unwrap()[0].duplicate);
    assert!(!wake.has_changed().unwrap(), "a duplicate is no news");
    store.append(&[event()]).await.unwrap();
    assert!(wake.has_changed().unwrap());
    assert_eq!(*wake.borrow(), 1, "one commit that appended, one hint");
}
