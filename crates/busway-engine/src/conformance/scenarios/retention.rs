use std::time::Duration;

use busway_core::{Definition, Patterns, SubscriptionState, conformance::Outcome};

use super::{
    acting::{Act, Book},
    material::{ALL, event, keyed, name, number, pull, refused, run, sorted, tenant, typed},
    stage::Stage,
};
use crate::Config;

const HOUR: Duration = Duration::from_secs(3_600);

fn keeps_an_hour() -> Config {
    Config { retention: Some(HOUR), ..Stage::config() }
}

pub(super) async fn retention_never_removes_what_a_subscription_has_not_read(stage: &Stage) -> Outcome {
    let (member, book) = (stage.join_as(keeps_an_hour()).await?, Book::default());
    stage.drive(member.engine.put(ALL, name("unread"), pull(), false)).await?;
    let patient = Definition { retry: busway_core::Retry::fixed(HOUR).attempts(9).jitter(0.0), ..run() };
    member
        .work(stage, "holds", &patient, &book, |delivery| match (number(&delivery.event), delivery.attempt) {
            (5, 1..=3) => Act::Fail,
            _ => Act::Done,
        })
        .await?;
    stage.publish(&member, (0..50).map(|n| keyed(n, "k")).collect()).await?;
    stage.pass(HOUR + HOUR / 2).await;
    ensure_eq!(stage.entries().await?.len(), 50, "events kept while one subscription has not read them");
    let leased = member.pull(stage, "unread", 1_000).await?;
    ensure_eq!(leased.len(), 50, "what is pulled after an hour and a half");
    member.ack(stage, "unread", &leased).await?;
    stage.pass(Duration::from_secs(60)).await;
    let kept = stage.entries().await?;
    let least = kept.first().and_then(|entry| entry.event().map(|event| number(event)));
    ensure_eq!(least, Some(5), "the first event kept, which a hold needs");
    stage.until("everything is delivered", async || Ok(book.acked() == 50)).await?;
    stage.pass(Duration::from_secs(60)).await;
    ensure_eq!(stage.entries().await?.len(), 0, "events kept once all is read");
    ensure_eq!(book.numbers(), (0..50).collect::<Vec<_>>(), "what was delivered");
    Ok(())
}

pub(super) async fn what_is_younger_than_the_retention_is_kept(stage: &Stage) -> Outcome {
    let member = stage.join_as(keeps_an_hour()).await?;
    stage.publish(&member, (0..10).map(|n| keyed(n, "k")).collect()).await?;
    stage.pass(HOUR / 2).await;
    ensure_eq!(stage.entries().await?.len(), 10, "events kept after half an hour");
    stage.pass(HOUR).await;
    ensure_eq!(stage.entries().await?.len(), 0, "events kept after an hour and a half");
    let late = Book::default();
    member.work(stage, "late", &run(), &late, |_| Act::Done).await?;
    stage.publish(&member, vec![event(10)]).await?;
    stage.settled().await?;
    ensure_eq!(late.numbers(), [10], "what one from the earliest on gets");
    Ok(())
}

pub(super) async fn a_dead_letter_outlives_its_event_and_can_still_be_retried(stage: &Stage) -> Outcome {
    let (member, book) = (stage.join_as(keeps_an_hour()).await?, Book::default());
    member
        .work(stage, "s", &run(), &book, |delivery| match delivery.attempt {
            1 if delivery.stored_at.as_millis() % 2 == 2 => Act::Done,
            _ => Act::Die,
        })
        .await?;
    stage.publish(&member, vec![keyed(1, "k")]).await?;
    stage.pass(HOUR * 2).await;
    ensure_eq!(stage.entries().await?.len(), 0, "events kept");
    let letters = stage.letters().await?;
    ensure_eq!(letters.len(), 1, "dead letters");
    stage.drive(member.engine.retry_dead_letter(None, letters[0].id)).await?;
    stage.settled().await?;
    ensure_eq!(book.of(1).len(), 2, "runs of the event");
    ensure_eq!(stage.letters().await?.len(), 1, "dead letters after it died again");
    Ok(())
}

pub(super) async fn a_tail_shows_what_comes_and_pins_nothing(stage: &Stage) -> Outcome {
    let member = stage.join_as(keeps_an_hour()).await?;
    let mut tail = member.engine.tail(Patterns::parse(["a.*"])?, Some(tenant("acme")), None).await?;
    let start = tail.position().clone();
    let events = (0..30).map(|n| {
        let event = typed(n, if n % 2 == 0 { "a.x" } else { "b" });
        if n % 3 == 0 { event.with_tenant(tenant("hill")) } else { event }
    });
    stage.publish(&member, events.collect()).await?;
    let wanted: Vec<u64> = (0..30).filter(|n| n % 2 == 0 && n % 3 != 0).collect();
    let mut shown = Vec::new();
    let mut middle = None;
    for _ in &wanted {
        let (entry, position) = stage.drive(tail.next()).await?;
        shown.extend(entry.event().map(|event| number(event)));
        if shown.len() == 5 {
            middle = Some((position, shown.clone()));
        }
    }
    ensure_eq!(sorted(shown.clone()), wanted, "what a tail shows");
    if let Some((position, before)) = middle {
        let mut again = member.engine.tail(Patterns::parse(["a.*"])?, Some(tenant("acme")), Some(position)).await?;
        let mut rest = Vec::new();
        for _ in before.len()..wanted.len() {
            rest.extend(stage.drive(again.next()).await?.0.event().map(|event| number(event)));
        }
        ensure_eq!(sorted([before, rest].concat()), wanted, "what one that goes on from a position shows");
    }
    stage.pass(HOUR * 2).await;
    ensure_eq!(stage.entries().await?.len(), 0, "events kept for a tail");
    let lost = member.engine.tail(Patterns::parse(["*"])?, None, Some(start)).await;
    ensure_eq!(refused(lost), "position_lost", "going on from what retention has removed");
    Ok(())
}

pub(super) async fn a_subscription_that_stands_unread_expires_if_told_to(stage: &Stage) -> Outcome {
    let (member, book) = (stage.join_as(keeps_an_hour()).await?, Book::default());
    let mortal = Definition { expire_after_ms: Some(2 * 3_600_000), ..pull() };
    stage.drive(member.engine.put(ALL, name("mortal"), mortal, false)).await?;
    member
        .work(stage, "read", &Definition { expire_after_ms: Some(2 * 3_600_000), ..run() }, &book, |_| Act::Done)
        .await?;
    stage.pass(HOUR * 3).await;
    let state = async |of: &str| {
        Ok::<_, busway_core::conformance::Failed>(stage.drive(member.engine.subscription(&ALL, &name(of))).await?.state)
    };
    ensure_eq!(state("mortal").await?, SubscriptionState::Running, "the state of one with nothing to read");
    stage.publish(&member, vec![event(1)]).await?;
    stage.pass(HOUR).await;
    ensure_eq!(state("mortal").await?, SubscriptionState::Running, "the state after an hour");
    ensure_eq!(stage.entries().await?.len(), 1, "events kept for it");
    stage.pass(HOUR + HOUR / 2).await;
    ensure_eq!(state("mortal").await?, SubscriptionState::Expired, "the state after two");
    ensure_eq!(state("read").await?, SubscriptionState::Running, "the state of one that was read");
    ensure_eq!(stage.entries().await?.len(), 0, "events kept once it has expired");
    ensure_eq!(member.pull(stage, "mortal", 10).await?.len(), 0, "what is pulled of an expired one");
    Ok(())
}
