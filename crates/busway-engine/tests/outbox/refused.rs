use std::time::Duration;

use busway_core::{
    DeadCause, DeadLetter, DeadLetterQuery, Definition, ErrorKind, Mode, OutboxRow, Owner, Patterns, Payload, Start,
    SubscriptionName,
};
use busway_engine::{Config, Engine};

use super::{Place, memory_outbox::row};

pub(crate) fn all() -> DeadLetterQuery {
    DeadLetterQuery { limit: 1_000, ..DeadLetterQuery::default() }
}

fn name() -> SubscriptionName {
    SubscriptionName::new("outbox").unwrap()
}

async fn letters(engine: &Engine) -> Vec<DeadLetter> {
    engine.dead_letters(&DeadLetterQuery { name: Some(name()), ..all() }).await.unwrap().items
}

/// Looks again and again until a condition holds of the dead letters.
async fn until(engine: &Engine, holds: impl Fn(&[DeadLetter]) -> bool) -> Vec<DeadLetter> {
    let seam = engine.seam().clone();
    for _ in 0..3_000 {
        let letters = letters(engine).await;
        if holds(&letters) {
            return letters;
        }
        seam.clock().sleep(Duration::from_millis(10)).await;
    }
    panic!("it never held of {:?}", letters(engine).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_row_is_a_dead_letter_that_names_the_field_and_holds_nothing_up() {
    let place = Place::new();
    let engine = place.engine().await;
    let text = |text: &str| Some(text.to_owned());
    let sound = row("shift.created", "{}");
    let odd = [
        (OutboxRow { payload: text("[1]"), ..sound.clone() }, "/payload must be a JSON object", Some("[1]")),
        (OutboxRow { payload: text("{"), ..sound.clone() }, "/payload is not JSON", Some(r#""{""#)),
        (OutboxRow { payload: None, ..sound.clone() }, "/payload must be a JSON object", Some("null")),
        (OutboxRow { payload: Some(big()), ..sound.clone() }, "/payload has", Some(r#""{\"a\":\"xxx"#)),
        (OutboxRow { event_type: text("a..b"), ..sound.clone() }, "/type", None),
        (OutboxRow { event_type: None, ..sound.clone() }, "/type is empty", None),
        (OutboxRow { tenant: text("a b"), ..sound.clone() }, "/tenantId", None),
        (OutboxRow { key: text(""), ..sound.clone() }, "/key is empty", None),
        (OutboxRow { metadata: text("7"), ..sound.clone() }, "/metadata must be a JSON object", None),
        (OutboxRow { metadata: text(r#"{"a":7}"#), ..sound.clone() }, "/metadata/a must be a string", Some("{}")),
    ];
    for (index, (row, ..)) in odd.iter().enumerate() {
        place.outbox.commit([super::memory_outbox::row("shift.created", &format!("{{\"n\":{index}}}"))]);
        place.outbox.commit([OutboxRow { id: uuid::Uuid::now_v7(), ..row.clone() }]);
    }
    place.outbox.emptied().await;
    let stored: Vec<String> = (0..odd.len()).map(|index| format!("{{\"n\":{index}}}")).collect();
    assert_eq!(place.stored("shift.created").await, stored);
    let letters = letters(&engine).await;
    assert_eq!(letters.len(), odd.len());
    for (letter, (row, error, payload)) in letters.iter().zip(&odd) {
        assert!(letter.error.contains(error), "{row:?}: {}", letter.error);
        assert_eq!(letter.cause, DeadCause::Rejected);
        assert_eq!((letter.owner.clone(), letter.attempts), (Owner::Installation, 1));
        match payload {
            Some(payload) => assert!(letter.entry.event().unwrap().payload.as_str().starts_with(payload)),
            None => assert!(letter.entry.event().is_none(), "{row:?}"),
        }
    }
    engine.shutdown().await.unwrap();
}

fn big() -> String {
    format!("{{\"a\":\"{}\"}}", "x".repeat(256 << 10))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_row_is_stored_once_its_payload_is_mended_and_it_is_retried() {
    let place = Place::new();
    let engine = place.engine().await;
    let refused = OutboxRow { key: Some("s-1".into()), ..row("shift.created", "[1]") };
    place.outbox.commit([refused.clone()]);
    place.outbox.emptied().await;
    let letter = letters(&engine).await.remove(0);
    assert_eq!(letter.entry.event().unwrap().id, refused.id);

    engine.retry_dead_letter(None, letter.id).await.unwrap();
    let again = until(&engine, |letters| letters[0].attempts == 2).await.remove(0);
    assert_eq!((again.id, &*again.error), (letter.id, &*letter.error));
    assert_eq!(again.first_failed_at, letter.first_failed_at);

    engine.edit_dead_letter(None, letter.id, Payload::from_json(r#"{"n": 1}"#).unwrap()).await.unwrap();
    engine.retry_dead_letter(None, letter.id).await.unwrap();
    until(&engine, <[_]>::is_empty).await;
    let event = engine.event(None, None, &refused.id.to_string()).await.unwrap().entry.event().unwrap().clone();
    assert_eq!((event.payload.as_str(), event.key.as_ref().unwrap().as_str()), (r#"{"n": 1}"#, "s-1"));
    let view = engine.subscription(&Owner::Installation, &name()).await.unwrap();
    assert_eq!((view.dead, view.delivered_total, view.failed_total, view.lag_at_most), (0, 1, 2, 0));
    engine.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_rows_are_discarded_and_retried_in_bulk() {
    let place = Place::new();
    let engine = place.engine().await;
    let odd = |event_type: &str| (0..300).map(|_| row(event_type, "[]")).collect::<Vec<_>>();
    place.outbox.commit(odd("shift.created"));
    place.outbox.commit(odd("shift.deleted"));
    place.outbox.emptied().await;
    let of = |event_type: &str| DeadLetterQuery { event_type: Some(event_type.parse().unwrap()), ..all() };
    engine.discard_dead_letters(of("shift.deleted")).await.unwrap();
    until(&engine, |letters| {
        letters.iter().all(|letter| letter.entry.event().unwrap().event_type.as_str() == "shift.created")
    })
    .await;
    for letter in letters(&engine).await {
        engine.edit_dead_letter(None, letter.id, Payload::empty()).await.unwrap();
    }
    engine.retry_dead_letters(of("shift.created")).await.unwrap();
    until(&engine, <[_]>::is_empty).await;
    assert_eq!(place.stored("shift.created").await.len(), 300);
    assert!(place.stored("shift.deleted").await.is_empty());
    engine.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_built_in_subscription_is_shown_once_it_has_refused_something_and_nobody_may_change_it() {
    let place = Place::new();
    let config = Config { retention: Some(Duration::ZERO), lease: Duration::from_millis(100), ..Config::default() };
    let engine = place.engine_with(config).await;
    place.outbox.commit([row("shift.created", "{}")]);
    place.outbox.emptied().await;
    assert!(engine.subscriptions(None).await.unwrap().is_empty());
    place.outbox.commit([row("shift.created", "[]")]);
    place.outbox.emptied().await;
    let view = engine.subscriptions(None).await.unwrap().remove(0);
    assert_eq!((view.name.as_str(), view.dead, view.lag_at_most), ("outbox", 1, 0));
    assert!(engine.subscriptions(Some(&Owner::from_store("acme"))).await.unwrap().is_empty());

    let (owner, name) = (Owner::Installation, name());
    let definition = Definition::new(Patterns::all(), Mode::Pull);
    let refusals = [
        engine.put(owner.clone(), name.clone(), definition.clone(), true).await.map(drop),
        engine.remove(&owner, &name, false).await,
        engine.pause(&owner, &name).await.map(drop),
        engine.resume(&owner, &name).await.map(drop),
        engine.seek(&owner, &name, Start::Latest).await.map(drop),
        engine.replay(&owner, &name, Start::Earliest, Start::Latest, None).await.map(drop),
    ];
    for refusal in refusals {
        let error = refusal.unwrap_err();
        assert_eq!((error.kind(), error.fields()[0].pointer.as_str()), (ErrorKind::InvalidBody, "/name"));
    }
    assert_eq!(engine.pull(&owner, &name, 1, Duration::ZERO).await.unwrap_err().kind(), ErrorKind::WrongMode);
    engine
        .put(Owner::from_store("acme"), name, Definition { start: Start::Earliest, ..definition }, false)
        .await
        .unwrap();

    // What everybody has read is removed, though the built-in subscription has read nothing.
    engine.remove(&Owner::from_store("acme"), &self::name(), false).await.unwrap();
    while !place.stored("shift.created").await.is_empty() {
        engine.seam().clock().sleep(Duration::from_millis(10)).await;
    }
    engine.shutdown().await.unwrap();
}
