use std::time::Duration;

use busway_core::{Start, SubscriptionState, conformance::Outcome};

use super::{
    acting::{Act, Book},
    material::{ALL, event, keyed, name, number, pull, refused, run, sorted},
    stage::Stage,
};

pub(super) async fn a_paused_subscription_stands_still_until_it_is_resumed(stage: &Stage) -> Outcome {
    let (one, two, book) = (stage.join().await?, stage.join().await?, Book::default());
    one.work(stage, "s", &run(), &book, |delivery| {
        if delivery.attempt == 1 && number(&delivery.event) == 0 {
            Act::FailFor(Duration::from_secs(2))
        } else {
            Act::Done
        }
    })
    .await?;
    stage.publish(&one, (0..10).map(|n| keyed(n, "k")).collect()).await?;
    stage.settle().await;
    let view = stage.drive(two.engine.pause(&ALL, &name("s"))).await?;
    ensure_eq!(view.state, SubscriptionState::Paused, "its state");
    stage.pass(Duration::from_secs(5)).await;
    let before = book.begun();
    stage.publish(&one, (10..20).map(|n| keyed(n, &n.to_string())).collect()).await?;
    stage.pass(Duration::from_secs(600)).await;
    ensure_eq!(book.begun(), before, "runs while it is paused");
    stage.drive(two.engine.resume(&ALL, &name("s"))).await?;
    stage.settled().await?;
    ensure_eq!(sorted(book.numbers()), (0..20).collect::<Vec<_>>(), "what was delivered");
    let of_the_key: Vec<u64> = book.numbers().into_iter().filter(|n| *n < 10).collect();
    ensure_eq!(of_the_key, (0..10).collect::<Vec<_>>(), "the key's order");
    Ok(())
}

pub(super) async fn a_paused_subscription_hands_nothing_to_pullers(stage: &Stage) -> Outcome {
    let member = stage.join().await?;
    stage.drive(member.engine.put(ALL, name("p"), pull(), false)).await?;
    stage.publish(&member, vec![event(1), event(2)]).await?;
    let leased = member.pull(stage, "p", 1).await?;
    stage.drive(member.engine.pause(&ALL, &name("p"))).await?;
    ensure_eq!(member.pull(stage, "p", 10).await?.len(), 0, "what is pulled while it is paused");
    ensure_eq!(member.ack(stage, "p", &leased).await?, [true], "a settlement of what was leased before");
    stage.drive(member.engine.resume(&ALL, &name("p"))).await?;
    ensure_eq!(member.pull(stage, "p", 10).await?.len(), 1, "what is pulled once it is resumed");
    Ok(())
}

pub(super) async fn a_seek_is_carried_out_once_and_lets_go_of_what_is_held(stage: &Stage) -> Outcome {
    let book = Book::default();
    let member = stage.join().await?;
    member
        .work(stage, "s", &run(), &book, |delivery| match number(&delivery.event) {
            3 => Act::FailFor(Duration::from_secs(3_600)),
            _ => Act::Done,
        })
        .await?;
    stage.publish(&member, (0..20).map(|n| keyed(n, &format!("k{}", n % 8))).collect()).await?;
    stage.pass(Duration::from_secs(2)).await;
    let first = book.acked();
    ensure!(first < 20, "nothing is held");
    stage.drive(member.engine.seek(&ALL, &name("s"), Start::Latest)).await?;
    stage.settled().await?;
    ensure_eq!(book.acked(), first, "deliveries after a seek to the end");
    let mended = Book::default();
    member.leave(stage).await?;
    let next = stage.join().await?;
    next.work(stage, "s", &run(), &mended, |_| Act::Done).await?;
    stage.drive(next.engine.seek(&ALL, &name("s"), Start::Earliest)).await?;
    stage.settled().await?;
    ensure_eq!(sorted(mended.numbers()), (0..20).collect::<Vec<_>>(), "deliveries after a seek to the start");
    next.leave(stage).await?;
    let last = stage.join().await?;
    last.work(stage, "s", &run(), &mended, |_| Act::Done).await?;
    stage.publish(&last, vec![keyed(20, "k")]).await?;
    stage.settled().await?;
    ensure_eq!(mended.numbers().len(), 21, "deliveries after a restart: the seek is not carried out again");
    Ok(())
}

pub(super) async fn a_seek_of_a_pull_subscription_makes_leases_stale(stage: &Stage) -> Outcome {
    let (one, two) = (stage.join().await?, stage.join().await?);
    stage.drive(one.engine.put(ALL, name("p"), pull(), false)).await?;
    stage.publish(&one, (0..5).map(|n| keyed(n, "k")).collect()).await?;
    let leased = one.pull(stage, "p", 3).await?;
    stage.drive(two.engine.seek(&ALL, &name("p"), Start::Earliest)).await?;
    ensure_eq!(one.ack(stage, "p", &leased).await?, [false; 3], "settlements of leases from before the seek");
    let again = one.pull(stage, "p", 10).await?;
    ensure_eq!(again.len(), 5, "what is pulled after it");
    ensure_eq!(one.ack(stage, "p", &again).await?, [true; 5], "settlements");
    stage.settled().await
}

pub(super) async fn a_removed_subscription_is_gone_also_while_it_is_busy(stage: &Stage) -> Outcome {
    let (one, two, book) = (stage.join().await?, stage.join().await?, Book::default());
    one.work(stage, "s", &run(), &book, |delivery| match number(&delivery.event) % 3 {
        0 => Act::Last(Duration::from_secs(20)),
        1 => Act::Fail,
        _ => Act::Done,
    })
    .await?;
    stage.publish(&one, (0..60).map(|n| keyed(n, &format!("k{n}"))).collect()).await?;
    stage.pass(Duration::from_millis(1_500)).await;
    ensure!(book.running() > 0, "nothing runs");
    stage.drive(two.engine.remove(&ALL, &name("s"), false)).await?;
    stage.pass(Duration::from_secs(4)).await;
    let begun = book.begun();
    stage.publish(&one, (60..80).map(event).collect()).await?;
    stage.pass(Duration::from_secs(120)).await;
    ensure_eq!((book.begun(), book.running()), (begun, 0), "runs begun since, and running");
    for member in [&one, &two] {
        ensure_eq!(refused(member.engine.subscription(&ALL, &name("s")).await), "not_found", "the subscription");
    }
    ensure_eq!(stage.letters().await?.len(), 0, "its dead letters");
    let fresh = Book::default();
    one.work(stage, "s", &run(), &fresh, |_| Act::Done).await?;
    stage.settled().await?;
    ensure_eq!(fresh.acked(), 80, "what one made later under its name gets, from the earliest on");
    Ok(())
}

pub(super) async fn dead_letters_outlive_their_subscription_if_asked(stage: &Stage) -> Outcome {
    let (member, book) = (stage.join().await?, Book::default());
    member.work(stage, "s", &run(), &book, |_| Act::Die).await?;
    stage.publish(&member, vec![event(1), event(2)]).await?;
    stage.settled().await?;
    stage.drive(member.engine.remove(&ALL, &name("s"), true)).await?;
    let letters = stage.letters().await?;
    ensure_eq!(letters.len(), 2, "dead letters kept");
    ensure_eq!(refused(member.engine.retry_dead_letter(None, letters[0].id).await), "not_found", "a retry of one");
    stage.drive(member.engine.discard_dead_letter(None, letters[0].id)).await?;
    ensure_eq!(stage.letters().await?.len(), 1, "dead letters after one was discarded");
    Ok(())
}
