use std::time::Duration;

use busway_core::{OperationState, Patterns, Start, conformance::Outcome};

use super::{
    acting::{Act, Book},
    material::{ALL, keyed, name, number, pull, refused, run, sorted, typed},
    stage::Stage,
};

pub(super) async fn a_replay_reaches_one_subscription_and_touches_no_other(stage: &Stage) -> Outcome {
    let (member, other) = (stage.join().await?, stage.join().await?);
    let [book, sibling] = [Book::default(), Book::default()];
    member.work(stage, "s", &run(), &book, |_| Act::Done).await?;
    other.work(stage, "sibling", &run(), &sibling, |_| Act::Done).await?;
    stage.publish(&member, (0..100).map(|n| keyed(n, &format!("k{}", n % 9))).collect()).await?;
    stage.settled().await?;
    let operation = stage.drive(other.engine.replay(&ALL, &name("s"), Start::Earliest, Start::Latest, None)).await?;
    stage.publish(&member, (100..150).map(|n| keyed(n, &format!("k{}", n % 9))).collect()).await?;
    stage
        .until("the replay is done", async || {
            Ok(member.engine.operation(None, operation).await?.state == OperationState::Done)
        })
        .await?;
    stage.settled().await?;
    let (replayed, live): (Vec<_>, Vec<_>) = book.runs().into_iter().partition(|run| run.replay.is_some());
    ensure_eq!(sorted(live.iter().map(|run| run.n).collect()), (0..150).collect::<Vec<_>>(), "what came live");
    ensure_eq!(sorted(replayed.iter().map(|run| run.n).collect()), (0..100).collect::<Vec<_>>(), "what was replayed");
    ensure!(replayed.iter().all(|run| run.replay == Some(operation)), "a replayed delivery names another operation");
    for key in 0..9 {
        let of_key: Vec<u64> = replayed.iter().map(|run| run.n).filter(|n| n % 9 == key).collect();
        ensure_eq!(of_key, sorted(of_key.clone()), "the order of a key in the replay");
    }
    ensure_eq!(sibling.begun(), 150, "runs of the sibling");
    let shown = member.engine.operation(None, operation).await?;
    ensure_eq!((shown.done, shown.total), (100, 100), "done and total");
    ensure_eq!(stage.stores.checkpoints.subscriptions().await?.len(), 2, "subscriptions left");
    Ok(())
}

pub(super) async fn a_replay_goes_on_when_its_member_is_gone(stage: &Stage) -> Outcome {
    let (first, book) = (stage.join().await?, Book::default());
    let slow = |delivery: &crate::Delivery| {
        if delivery.replay.is_some() { Act::Last(Duration::from_millis(100)) } else { Act::Done }
    };
    first.work(stage, "s", &run(), &book, slow).await?;
    stage.publish(&first, (0..200).map(|n| keyed(n, &format!("k{}", n % 40))).collect()).await?;
    stage.settled().await?;
    let operation = stage.drive(first.engine.replay(&ALL, &name("s"), Start::Earliest, Start::Latest, None)).await?;
    let replayed =
        || book.runs().iter().filter(|run| run.replay.is_some() && run.acked()).map(|run| run.n).collect::<Vec<_>>();
    stage.until("some is replayed", async || Ok(replayed().len() > 20)).await?;
    first.kill();
    let second = stage.join().await?;
    second.work(stage, "s", &run(), &book, slow).await?;
    stage
        .until("the replay is done", async || {
            Ok(second.engine.operation(None, operation).await?.state == OperationState::Done)
        })
        .await?;
    let mut all = sorted(replayed());
    all.dedup();
    ensure_eq!(all, (0..200).collect::<Vec<_>>(), "what was replayed");
    Ok(())
}

pub(super) async fn a_replay_goes_from_one_time_to_another_and_may_name_types(stage: &Stage) -> Outcome {
    let (member, book) = (stage.join().await?, Book::default());
    member.work(stage, "s", &run(), &book, |_| Act::Done).await?;
    let mut times = Vec::new();
    for n in 0..30 {
        times.push(
            stage.drive(member.engine.publish(vec![typed(n, if n % 2 == 0 { "a" } else { "b" })])).await?[0].stored_at,
        );
        stage.pass(Duration::from_millis(100)).await;
    }
    stage.settled().await?;
    let (from, to) = (times[10], times[20]);
    let types = Patterns::parse(["a"])?;
    let (from_time, to_time) = (Start::Time(from), Start::Time(to));
    let operation = stage.drive(member.engine.replay(&ALL, &name("s"), from_time, to_time, Some(types))).await?;
    let second = member.engine.replay(&ALL, &name("s"), Start::Earliest, Start::Latest, None).await;
    ensure_eq!(refused(second), "busy", "a second replay beside it");
    stage
        .until("the replay is done", async || {
            Ok(member.engine.operation(None, operation).await?.state == OperationState::Done)
        })
        .await?;
    let replayed = book.runs().into_iter().filter(|run| run.replay.is_some()).map(|run| run.n).collect();
    let wanted: Vec<u64> =
        (0..30).filter(|n| n % 2 == 0 && times[*n as usize] >= from && times[*n as usize] < to).collect();
    ensure_eq!(sorted(replayed), wanted, "what was replayed");
    Ok(())
}

pub(super) async fn a_cancelled_replay_ends(stage: &Stage) -> Outcome {
    let (member, book) = (stage.join().await?, Book::default());
    member
        .work(stage, "s", &run(), &book, |delivery| match delivery.replay {
            Some(_) => Act::Last(Duration::from_millis(500)),
            None => Act::Done,
        })
        .await?;
    stage.publish(&member, (0..100).map(|n| keyed(n, "k")).collect()).await?;
    stage.settled().await?;
    let operation = stage.drive(member.engine.replay(&ALL, &name("s"), Start::Earliest, Start::Latest, None)).await?;
    stage.pass(Duration::from_secs(5)).await;
    stage.drive(member.engine.cancel_operation(None, operation)).await?;
    stage.pass(Duration::from_secs(5)).await;
    let begun = book.begun();
    ensure!(begun > 100 && begun < 200, "{begun} runs, live and replayed");
    stage.pass(Duration::from_secs(60)).await;
    ensure_eq!(book.begun(), begun, "runs after it was cancelled");
    ensure_eq!(member.engine.operation(None, operation).await?.state, OperationState::Cancelled, "its state");
    Ok(())
}

pub(super) async fn a_replay_is_pulled_like_live_events_and_marked(stage: &Stage) -> Outcome {
    let member = stage.join().await?;
    stage.drive(member.engine.put(ALL, name("p"), pull(), false)).await?;
    stage.publish(&member, (0..10).map(|n| keyed(n, "k")).collect()).await?;
    let live = member.pull(stage, "p", 100).await?;
    member.ack(stage, "p", &live).await?;
    let operation = stage.drive(member.engine.replay(&ALL, &name("p"), Start::Earliest, Start::Latest, None)).await?;
    let replayed = member.pull(stage, "p", 100).await?;
    let numbers: Vec<u64> =
        replayed.iter().filter_map(|leased| leased.entry.event().map(|event| number(event))).collect();
    ensure_eq!(numbers, (0..10).collect::<Vec<_>>(), "what was replayed");
    ensure!(replayed.iter().all(|leased| leased.replay == Some(operation)), "a replayed delivery is not marked");
    ensure!(member.ack(stage, "p", &replayed).await?.into_iter().all(|settled| settled), "a settlement did not count");
    stage
        .until("the replay is done", async || {
            Ok(member.engine.operation(None, operation).await?.state == OperationState::Done)
        })
        .await
}
