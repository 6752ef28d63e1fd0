use std::{collections::BTreeSet, time::Duration};

use busway_core::conformance::Outcome;

use super::{
    acting::{Act, Book},
    material::{ALL, event, keyed, name, run, sorted},
    stage::Stage,
};

pub(super) async fn two_subscriptions_each_get_everything(stage: &Stage) -> Outcome {
    let member = stage.join().await?;
    let [one, two] = [Book::default(), Book::default()];
    member.work(stage, "one", &run(), &one, |_| Act::Done).await?;
    member.work(stage, "two", &run(), &two, |_| Act::Done).await?;
    stage.publish(&member, (0..600).map(|n| keyed(n, &format!("k{}", n % 7))).collect()).await?;
    stage.publish(&member, (600..700).map(event).collect()).await?;
    stage.settled().await?;
    for book in [one, two] {
        ensure_eq!(sorted(book.numbers()), (0..700).collect::<Vec<_>>(), "what a subscription got");
    }
    let view = member.engine.subscription(&ALL, &name("one")).await?;
    ensure_eq!((view.delivered_total, view.lag_at_most, view.held, view.dead), (700, 0, 0, 0), "its figures");
    Ok(())
}

pub(super) async fn a_subscription_whose_handler_fails_takes_nothing_from_others(stage: &Stage) -> Outcome {
    let member = stage.join().await?;
    let [bad, good] = [Book::default(), Book::default()];
    member.work(stage, "bad", &run(), &bad, |_| Act::Die).await?;
    member.work(stage, "good", &run(), &good, |_| Act::Done).await?;
    stage.publish(&member, (0..100).map(event).collect()).await?;
    stage.settled().await?;
    ensure_eq!(sorted(good.numbers()), (0..100).collect::<Vec<_>>(), "what the good one got");
    ensure!(stage.letters().await?.iter().all(|letter| letter.name.as_str() == "bad"), "the good one has dead letters");
    Ok(())
}

pub(super) async fn members_share_a_subscription_and_hold_no_event_at_once(stage: &Stage) -> Outcome {
    let (one, two) = (stage.join().await?, stage.join().await?);
    let book = Book::default();
    let script = |_: &crate::Delivery| Act::Last(Duration::from_millis(20));
    one.work(stage, "shared", &run(), &book, script).await?;
    two.work(stage, "shared", &run(), &book, script).await?;
    let wanted = usize::from(stage.stores.log.lanes()).min(2);
    stage
        .until("each is shown, and has lanes if there are enough", async || {
            let stored = stage.stores.checkpoints.checkpoints(None).await?;
            let held = stored.iter().filter(|(_, _, checkpoint)| !checkpoint.released);
            let holders: BTreeSet<_> = held.filter_map(|(_, _, checkpoint)| checkpoint.holder).collect();
            let shown = one.engine.subscription(&ALL, &name("shared")).await?.members.len();
            Ok((holders.len(), shown) == (wanted, 2))
        })
        .await?;
    stage.publish(&one, (0..300).map(|n| keyed(n, &format!("k{}", n % 32))).collect()).await?;
    stage.settled().await?;
    ensure_eq!(sorted(book.numbers()), (0..300).collect::<Vec<_>>(), "what they got together, each once");
    ensure_eq!(book.begun(), 300, "runs");
    let members: BTreeSet<usize> = book.runs().iter().map(|run| run.member).collect();
    if stage.stores.log.lanes() >= 8 {
        ensure_eq!(members.len(), 2, "members that worked");
    }
    let view = one.engine.subscription(&ALL, &name("shared")).await?;
    ensure_eq!(view.members.len(), 2, "members shown");
    Ok(())
}

pub(super) async fn lanes_move_by_release_when_members_come_and_go(stage: &Stage) -> Outcome {
    let book = Book::default();
    let script = |_: &crate::Delivery| Act::Last(Duration::from_millis(5));
    let first = stage.join().await?;
    first.work(stage, "shared", &run(), &book, script).await?;
    stage.publish(&first, (0..200).map(|n| keyed(n, &format!("k{}", n % 16))).collect()).await?;
    let second = stage.join().await?;
    second.work(stage, "shared", &run(), &book, script).await?;
    stage.publish(&second, (200..400).map(|n| keyed(n, &format!("k{}", n % 16))).collect()).await?;
    first.leave(stage).await?;
    let third = stage.join().await?;
    third.work(stage, "shared", &run(), &book, script).await?;
    stage.publish(&second, (400..600).map(|n| keyed(n, &format!("k{}", n % 16))).collect()).await?;
    stage.settled().await?;
    ensure_eq!(book.begun(), 600, "runs, none of them repeated");
    stage.judged(&[stage.bounds("shared", 3, true)]).await.map(|_| ())
}
