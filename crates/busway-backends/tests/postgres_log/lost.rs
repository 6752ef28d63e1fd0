use std::sync::Arc;

use busway_core::{ErrorKind, Event, LaneId, Log};
use busway_testbed::{postgres::Server, proxy::Proxy};
use uuid::Uuid;

use crate::stage::{append_one, assert_holds, event, ids, open, read_all, until};

const SHORT: &str = "lanes=1&pool=2&listen=off&deadlineMs=500";

#[tokio::test]
async fn an_append_whose_answer_is_lost_is_of_unknown_outcome_and_can_be_repeated() {
    let Some(server) = Server::shared() else { return };
    let database = server.database();
    let proxy = Proxy::start(&database.url);
    let log = open(&proxy.url(&database.url), SHORT).await;
    let direct = open(&database.url, "lanes=1&pool=2").await;
    let batch = || [event(Uuid::now_v7()), event(Uuid::now_v7())];
    // So that the statement is prepared, and is all that is sent next.
    log.append(&batch()).await.unwrap();
    let batch = batch();
    proxy.freeze_answers();
    let error = log.append(&batch).await.unwrap_err();
    assert_eq!((error.kind(), error.is_temporary()), (ErrorKind::OutcomeUnknown, true), "{error}");
    until("the append is stored all the same", async || read_all(&direct, LaneId(0)).await.len() == 4).await;
    proxy.thaw();
    let again = log.append(&batch).await.unwrap();
    assert!(again.iter().all(|told| told.duplicate));
    assert_eq!(read_all(&log, LaneId(0)).await.len(), 4);
}

#[tokio::test]
async fn a_publisher_frozen_in_its_append_stops_nobody() {
    let Some(server) = Server::shared() else { return };
    let database = server.database();
    let proxy = Proxy::start(&database.url);
    let frozen = open(&proxy.url(&database.url), "lanes=1&pool=2&listen=off&deadlineMs=60000").await;
    let other = open(&database.url, "lanes=1&pool=2").await;
    append_one(&frozen).await;
    proxy.freeze();
    let waiting = tokio::spawn({
        let frozen = frozen.clone();
        async move { frozen.append(&[event(Uuid::now_v7())]).await }
    });
    let events: Vec<Arc<Event>> = (0..100).map(|_| event(Uuid::now_v7())).collect();
    for event in &events {
        other.append(std::slice::from_ref(event)).await.unwrap();
    }
    assert!(!waiting.is_finished());
    proxy.thaw();
    assert!(!waiting.await.unwrap().unwrap()[0].duplicate);
    assert_eq!(ids(&read_all(&other, LaneId(0)).await)[1..101], events.iter().map(|e| e.id).collect::<Vec<_>>());
}

#[tokio::test]
async fn cut_connections_are_made_anew_and_what_cannot_be_sent_is_unreachable() {
    let Some(server) = Server::shared() else { return };
    let database = server.database();
    let proxy = Proxy::start(&database.url);
    let log = open(&proxy.url(&database.url), SHORT).await;
    let first = event(Uuid::now_v7());
    log.append(std::slice::from_ref(&first)).await.unwrap();
    proxy.refuse();
    proxy.cut();
    until("nothing can be sent any more", async || {
        let error = log.append(&[event(Uuid::now_v7())]).await.unwrap_err();
        assert!(error.is_temporary(), "{error}");
        error.kind() == ErrorKind::Unreachable
    })
    .await;
    assert_eq!(log.heads().await.unwrap_err().kind(), ErrorKind::Unreachable);
    proxy.accept();
    until("the log can be read again", async || log.heads().await.is_ok()).await;
    let second = event(Uuid::now_v7());
    log.append(std::slice::from_ref(&second)).await.unwrap();
    let stored = ids(&read_all(&log, LaneId(0)).await);
    assert_eq!((stored.first(), stored.last()), (Some(&first.id), Some(&second.id)));
}

#[tokio::test]
async fn a_server_that_crashed_is_found_again_with_all_that_was_acknowledged() {
    let Some(mut server) = Server::start() else { return };
    let database = server.database();
    let log = open(&database.url, "pool=3").await;
    let events: Vec<Arc<Event>> = (0..100).map(|_| event(Uuid::now_v7())).collect();
    log.append(&events).await.unwrap();
    server.stop_immediate();
    let error = log.append(&[event(Uuid::now_v7())]).await.unwrap_err();
    assert!(error.is_temporary(), "{error}");
    server.start_again();
    until("the server is found again", async || log.heads().await.is_ok()).await;
    assert_holds(&log, &events).await;
}
