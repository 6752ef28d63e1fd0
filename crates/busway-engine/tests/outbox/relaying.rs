use std::{sync::Arc, time::Duration};

use busway_core::{
    Appended, Error, ErrorKind, Event, Log, OutboxRow, Result, Seam, Stores, Timestamp,
    conformance::doubles::{LogTwist, Sound, Twist},
};
use busway_engine::{Config, Engine};

use super::{
    Place,
    memory_outbox::{MemoryOutbox, row},
};

fn numbered(count: usize) -> Vec<(OutboxRow, String)> {
    let numbers = (0..count).map(|n| format!("{{\"n\":{n}}}"));
    numbers.map(|payload| (row("shift.created", &payload), payload)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_stored_in_their_order_under_the_ids_they_bear_and_removed() {
    let place = Place::new();
    let engine = place.engine().await;
    let (rows, payloads): (Vec<_>, Vec<_>) = numbered(2_500).into_iter().unzip();
    let bare = OutboxRow { id: rows[7].id, ..rows[7].clone() };
    let full = OutboxRow {
        key: Some("s-1".into()),
        time: Some(Timestamp::from_millis(1_000)),
        metadata: Some(r#"{"actorId":"ada"}"#.into()),
        tenant: None,
        ..row("shift.moved", r#"{ "kept" : "\u0000" }"#)
    };
    place.outbox.commit(rows);
    place.outbox.emptied().await;
    assert_eq!(place.stored("shift.created").await, payloads);

    place.outbox.commit([bare, full.clone()]);
    place.outbox.emptied().await;
    assert_eq!(place.stored("shift.created").await.len(), 2_500, "an id that was stored before");
    let event = engine.event(None, None, &full.id.to_string()).await.unwrap().entry.event().unwrap().clone();
    assert_eq!(event.id, full.id);
    assert_eq!(event.tenant.as_str(), "default");
    assert_eq!(event.key.as_ref().map(|key| key.as_str()), Some("s-1"));
    assert_eq!(event.time, Timestamp::from_millis(1_000));
    assert_eq!(event.metadata.as_str(), r#"{"actorId":"ada"}"#);
    assert_eq!(event.payload.as_str(), r#"{ "kept" : "\u0000" }"#);
    assert!(engine.subscriptions(None).await.unwrap().is_empty());
    engine.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_were_stored_and_not_removed_are_stored_once() {
    let place = Place::new();
    place.outbox.fail_removals(3);
    let (rows, payloads): (Vec<_>, Vec<_>) = numbered(1_500).into_iter().unzip();
    place.outbox.commit(rows);
    let engine = place.engine().await;
    place.outbox.emptied().await;
    assert_eq!(place.stored("shift.created").await, payloads);
    engine.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_process_that_relays_leaves_another_goes_on_at_once() {
    let place = Place::new();
    for n in 0..3 {
        // Leases of ten minutes: nobody waits for one to lapse.
        let engine = place.engine().await;
        place.outbox.commit([row("shift.created", &format!("{{\"n\":{n}}}"))]);
        place.outbox.emptied().await;
        engine.shutdown().await.unwrap();
    }
    assert_eq!(place.stored("shift.created").await, [r#"{"n":0}"#, r#"{"n":1}"#, r#"{"n":2}"#]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_processes_one_relays_and_another_takes_over() {
    let place = Place::new();
    let config = Config { lease: Duration::from_millis(300), ..Config::default() };
    let first = place.engine_with(config.clone()).await;
    let second = place.engine_with(config.clone()).await;
    let third = place.engine_with(config).await;
    let (rows, payloads): (Vec<_>, Vec<_>) = numbered(300).into_iter().unzip();
    let mut rows = rows.into_iter();
    for leaving in [first, second] {
        place.outbox.commit(rows.by_ref().take(100));
        place.outbox.emptied().await;
        leaving.shutdown().await.unwrap();
    }
    place.outbox.commit(rows);
    place.outbox.emptied().await;
    assert_eq!(place.stored("shift.created").await, payloads);
    third.shutdown().await.unwrap();
}

/// A log that refuses events of one type.
struct Picky;

#[async_trait::async_trait]
impl LogTwist for Picky {
    async fn append(&self, sound: Sound<'_, dyn Log>, batch: &[Arc<Event>]) -> Result<Vec<Appended>> {
        if batch.iter().any(|event| event.event_type.as_str() == "too.large") {
            return Err(Error::new(ErrorKind::TooLarge, "too large for this store"));
        }
        sound.append(batch).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_log_refuses_of_a_batch_holds_nothing_else_up() {
    let outbox = Arc::new(MemoryOutbox::new());
    let place = Place::new();
    let stores = Twist::log(Picky).over(Stores { outbox: Some(outbox.clone()), ..place.stores.clone() }, 0);
    let (rows, payloads): (Vec<_>, Vec<_>) = numbered(100).into_iter().unzip();
    let mut rows = rows.into_iter();
    outbox.commit(rows.by_ref().take(50));
    outbox.commit([row("too.large", "{}")]);
    outbox.commit(rows);
    let engine = Engine::start(stores, Config::default(), Seam::system()).await.unwrap();
    outbox.emptied().await;
    assert_eq!(place.stored("shift.created").await, payloads);
    let letters = engine.dead_letters(&super::refused::all()).await.unwrap().items;
    assert_eq!(letters.len(), 1);
    assert_eq!(&*letters[0].error, "too large for this store");
    assert_eq!(letters[0].entry.event().unwrap().event_type.as_str(), "too.large");
    engine.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn marks_of_events_met_are_forgotten_with_the_events() {
    let place = Place::new();
    let before = Seam::system().now();
    let retention = Duration::from_secs(3_600);
    let engine = place.engine_with(Config { retention: Some(retention), ..Config::default() }).await;
    let mut forgotten = place.outbox.forgotten.subscribe();
    let until = forgotten.wait_for(Option::is_some).await.unwrap().unwrap();
    assert!(until >= before - retention && until <= Seam::system().now() - retention);
    engine.shutdown().await.unwrap();
}
