use std::time::Duration;

use busway_core::conformance::Outcome;

use super::{
    acting::{Act, Book},
    material::{event, keyed, number, refused, run, sorted},
    stage::Stage,
};
use crate::conformance::Ended;

pub(super) async fn who_leaves_finishes_what_runs(stage: &Stage) -> Outcome {
    let (one, two, book) = (stage.join().await?, stage.join().await?, Book::default());
    one.work(stage, "s", &run(), &book, |_| Act::Last(Duration::from_secs(2))).await?;
    stage.publish(&one, (0..40).map(|n| keyed(n, &format!("k{n}"))).collect()).await?;
    stage.settle().await;
    let running = book.running();
    ensure!(running > 0, "nothing runs");
    let report = stage.drive(one.engine.shutdown()).await?;
    ensure_eq!((report.finished, report.cancelled), (running as u64, 0), "finished and cancelled");
    ensure_eq!(refused(one.engine.publish(vec![event(99)]).await), "closed", "a publish afterwards");
    let begun = book.begun();
    ensure_eq!(book.acked(), begun, "runs acknowledged of those begun");
    two.work(stage, "s", &run(), &book, |_| Act::Done).await?;
    stage.until_by("the other goes on", Stage::config().lease, async || Ok(book.acked() == 40)).await?;
    stage.settled().await?;
    ensure_eq!(book.begun(), 40, "runs: nothing is repeated");
    Ok(())
}

pub(super) async fn who_leaves_hands_back_what_does_not_end_in_time(stage: &Stage) -> Outcome {
    let (one, two, book) = (stage.join().await?, stage.join().await?, Book::default());
    one.work(stage, "s", &run(), &book, |delivery| match number(&delivery.event) {
        0 => Act::Hang,
        _ => Act::Done,
    })
    .await?;
    stage.publish(&one, vec![keyed(0, "a"), keyed(1, "a"), keyed(2, "b")]).await?;
    stage.pass(Duration::from_millis(100)).await;
    let report = stage.drive(one.engine.shutdown()).await?;
    ensure_eq!((report.finished, report.cancelled), (0, 1), "finished and cancelled");
    ensure!(book.of(0).iter().all(|run| matches!(run.ended, Some((_, Ended::Dropped)))), "the run was not given up");
    two.work(stage, "s", &run(), &book, |_| Act::Done).await?;
    stage.until_by("the other goes on", Stage::config().lease, async || Ok(book.acked() == 3)).await?;
    stage.settled().await?;
    ensure_eq!(book.of(0).last().map(|run| run.attempt), Some(1), "the attempt: what was cut short is not charged");
    ensure_eq!(book.numbers(), [2, 0, 1], "what was acknowledged, in order");
    Ok(())
}

pub(super) async fn who_leaves_stores_what_was_published_before(stage: &Stage) -> Outcome {
    let (one, two, book) = (stage.join().await?, stage.join().await?, Book::default());
    two.work(stage, "s", &run(), &book, |_| Act::Done).await?;
    let publishes: Vec<_> = (0..50)
        .map(|n| {
            let engine = one.engine.clone();
            tokio::spawn(async move { engine.publish(vec![event(n)]).await.map(|_| n) })
        })
        .collect();
    tokio::task::yield_now().await;
    one.leave(stage).await?;
    let mut stored = Vec::new();
    for publish in publishes {
        match publish.await? {
            Ok(n) => stored.push(n),
            Err(error) => ensure_eq!(error.kind().code(), "closed", "what a publisher is told who was too late"),
        }
    }
    stage.settled().await?;
    ensure_eq!(sorted(book.numbers()), sorted(stored), "what was delivered of what was acknowledged");
    Ok(())
}
