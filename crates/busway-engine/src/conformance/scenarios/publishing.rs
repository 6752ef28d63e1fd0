use std::time::Duration;

use busway_core::{Payload, conformance::Outcome};
use uuid::Uuid;

use super::{
    acting::{Act, Book},
    material::{event, keyed, refused, run, sorted},
    stage::Stage,
};
use crate::Config;

pub(super) async fn a_duplicate_is_delivered_once(stage: &Stage) -> Outcome {
    let (member, book) = (stage.join().await?, Book::default());
    member.work(stage, "all", &run(), &book, |_| Act::Done).await?;
    let [one, two] = [Uuid::from_u128(1 << 90), Uuid::from_u128(2 << 90)];
    let alone = vec![event(1).with_id(one)];
    let batch = vec![keyed(2, "k").with_id(two), event(1).with_id(one), keyed(2, "k").with_id(two)];
    let first = stage.drive(member.engine.publish(alone.clone())).await?;
    ensure!(!first[0].duplicate, "the first is called a duplicate");
    let told = stage.drive(member.engine.publish(batch)).await?;
    ensure_eq!(
        told.iter().map(|told| told.duplicate).collect::<Vec<_>>(),
        [false, true, true],
        "duplicates of a batch"
    );
    let told = stage.drive(member.engine.publish(alone)).await?;
    ensure!(told[0].duplicate, "a repeat is not called a duplicate");
    stage.settled().await?;
    ensure_eq!(sorted(book.numbers()), [1, 2], "what was delivered");
    Ok(())
}

pub(super) async fn an_event_that_two_members_publish_at_once_is_delivered_once(stage: &Stage) -> Outcome {
    let (one, two, book) = (stage.join().await?, stage.join().await?, Book::default());
    one.work(stage, "all", &run(), &book, |_| Act::Done).await?;
    for n in 1..=50 {
        let same = || vec![keyed(n, "k").with_id(Uuid::from_u128(u128::from(n) << 90))];
        let both = async { tokio::try_join!(one.engine.publish(same()), two.engine.publish(same())) };
        let (first, second) = stage.drive(both).await?;
        ensure!(first[0].duplicate != second[0].duplicate, "event {n}: not exactly one of two is called a duplicate");
    }
    stage.settled().await?;
    ensure_eq!(book.numbers(), (1..=50).collect::<Vec<_>>(), "what was delivered");
    Ok(())
}

pub(super) async fn a_batch_is_published_whole_or_not_at_all(stage: &Stage) -> Outcome {
    let (member, book) = (stage.join().await?, Book::default());
    member.work(stage, "all", &run(), &book, |_| Act::Done).await?;
    let mut large = event(2);
    large.payload = Payload::from_json(format!("{{\"n\":\"{}\"}}", "x".repeat(256 << 10)))?;
    let batch = vec![event(1), large, event(3)];
    ensure_eq!(refused(member.engine.publish(batch).await), "invalid_event", "a batch with an event that is too large");
    stage.publish(&member, (4..500).map(event).collect()).await?;
    stage.settled().await?;
    ensure_eq!(sorted(book.numbers()), (4..500).collect::<Vec<_>>(), "what was delivered");
    Ok(())
}

pub(super) async fn what_is_delivered_is_what_was_published(stage: &Stage) -> Outcome {
    let (member, book) = (stage.join().await?, Book::default());
    member.work(stage, "all", &run(), &book, |_| Act::Done).await?;
    let texts = [
        "{}".to_owned(),
        "{\"n\":1, \"b\" : [ ],\"a\":-0.0}".into(),
        "{\"n\":2,\"max\":9223372036854775807,\"more\":18446744073709551616,\"tiny\":5e-324}".into(),
        "{\"n\":3,\"text\":\"a\\u0000\u{7ff}\u{ffff}\u{10ffff}\"}".into(),
        format!("{{\"n\":4,\"x\":\"{}\"}}", "y".repeat((256 << 10) - 16)),
    ];
    let payloads = texts.iter().map(Payload::from_json).collect::<Result<Vec<_>, _>>()?;
    let events = payloads.iter().map(|payload| {
        let mut event = keyed(0, "\u{1f600} key").with_id(Uuid::now_v7());
        event.payload = payload.clone();
        event
    });
    let events: Vec<_> = events.collect();
    let told = stage.drive(member.engine.publish(events.clone())).await?;
    stage.settled().await?;
    let runs = book.runs();
    ensure_eq!(runs.len(), texts.len(), "deliveries");
    for (((run, sent), text), told) in runs.iter().zip(&events).zip(&texts).zip(told) {
        ensure!(
            run.event.payload.as_str() == text,
            "the payload {text:.80} came as {:.80}",
            run.event.payload.as_str()
        );
        ensure_eq!(Some(run.event.id), sent.id, "the id");
        ensure_eq!(run.event.key, sent.key, "the key");
        ensure_eq!(run.stored_at, told.stored_at, "when it was stored");
    }
    Ok(())
}

pub(super) async fn publishers_wait_while_too_much_waits_to_be_stored(stage: &Stage) -> Outcome {
    let member = stage.join_as(Config { append_queue: 4, ..Stage::config() }).await?;
    member.gate.set(super::way::State::Frozen);
    let publishers: Vec<_> = (0..20)
        .map(|n| {
            let engine = member.engine.clone();
            tokio::spawn(async move { engine.publish(vec![event(n)]).await })
        })
        .collect();
    stage.settle().await;
    ensure!(
        publishers.iter().all(|publisher| !publisher.is_finished()),
        "a publisher was answered by a store that stands still"
    );
    member.thaw();
    stage.settle().await;
    for publisher in publishers {
        publisher.await??;
    }
    let appends = member.way.asked().appends.clone();
    ensure_eq!(appends.iter().sum::<usize>(), 20, "events appended");
    ensure!(appends.iter().all(|size| *size <= 4), "more waited than may: appends of {appends:?}");
    Ok(())
}

pub(super) async fn a_publisher_who_goes_away_leaves_others_theirs(stage: &Stage) -> Outcome {
    let (member, book) = (stage.join().await?, Book::default());
    member.work(stage, "all", &run(), &book, |_| Act::Done).await?;
    member.gate.set(super::way::State::Frozen);
    let publish = |n| {
        let engine = member.engine.clone();
        tokio::spawn(async move { engine.publish(vec![event(n)]).await })
    };
    let (first, second) = (publish(1), publish(2));
    stage.settle().await;
    first.abort();
    member.thaw();
    second.await??;
    stage
        .until_by("the other's event is delivered", Duration::from_secs(60), async || Ok(book.numbers().contains(&2)))
        .await
}
