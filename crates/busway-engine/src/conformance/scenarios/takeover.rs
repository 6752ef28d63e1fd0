use std::{collections::BTreeSet, time::Duration};

use busway_core::{DeadCause, Definition, Retry, conformance::Outcome};

use super::{
    acting::{Act, Book},
    material::{event, keyed, number, run, sorted},
    stage::Stage,
};

pub(super) async fn a_killed_members_lanes_are_taken_over_within_two_leases(stage: &Stage) -> Outcome {
    let (one, two, book) = (stage.join().await?, stage.join().await?, Book::default());
    one.work(stage, "s", &run(), &book, |_| Act::Done).await?;
    stage.publish(&one, (0..50).map(|n| keyed(n, &format!("k{n}"))).collect()).await?;
    stage.settled().await?;
    one.kill();
    two.work(stage, "s", &run(), &book, |_| Act::Done).await?;
    stage.publish(&two, (50..100).map(|n| keyed(n, &format!("k{n}"))).collect()).await?;
    let lease = Stage::config().lease;
    stage
        .until_by("the other has taken over", lease * 2, async || {
            Ok(book.numbers().iter().copied().collect::<BTreeSet<_>>().len() == 100)
        })
        .await?;
    stage.settled().await?;
    ensure_eq!(book.begun(), 100, "runs: what was settled before is not repeated");
    stage.judged(&[stage.bounds("s", 3, true)]).await.map(|_| ())
}

pub(super) async fn a_member_that_stood_still_past_its_lease_overwrites_nothing(stage: &Stage) -> Outcome {
    let [first, second] = [Book::default(), Book::default()];
    let one = stage.join().await?;
    one.work(stage, "s", &run(), &first, |_| Act::Last(Duration::from_millis(100))).await?;
    stage.publish(&one, (0..40).map(|n| keyed(n, &format!("k{}", n % 10))).collect()).await?;
    stage.settle().await;
    ensure!(first.running() > 0, "nothing runs when it stops");
    one.freeze();
    let two = stage.join().await?;
    two.work(stage, "s", &run(), &second, |delivery| match number(&delivery.event) {
        3 => Act::Die,
        _ => Act::Done,
    })
    .await?;
    stage.publish(&two, (40..60).map(|n| keyed(n, &format!("k{}", n % 10))).collect()).await?;
    stage.until("the other has taken over", async || Ok(second.acked() >= 50)).await?;
    one.thaw();
    stage.pass(Duration::from_secs(60)).await;
    stage.settled().await?;
    let all: BTreeSet<u64> = [first.numbers(), second.numbers()].concat().into_iter().collect();
    ensure_eq!(all.len(), 60 - usize::from(!first.numbers().contains(&3)), "events acknowledged by either");
    let fence = |book: &Book| book.runs().iter().map(|run| run.fence).max();
    ensure!(fence(&second) > fence(&first), "the fence did not rise: {:?}, {:?}", fence(&first), fence(&second));
    ensure!(
        stage.letters().await?.iter().any(|letter| letter.entry.event().is_some_and(|event| number(event) == 3)),
        "the dead letter was overwritten"
    );
    stage.publish(&two, (60..80).map(|n| keyed(n, &format!("k{}", n % 10))).collect()).await?;
    stage.settled().await?;
    stage.judged(&[stage.bounds("s", 3, true)]).await.map(|_| ())
}

pub(super) async fn a_member_that_stood_still_while_idle_takes_its_lanes_anew(stage: &Stage) -> Outcome {
    let [first, second] = [Book::default(), Book::default()];
    let definition = Definition { retry: Retry::fixed(Duration::from_secs(30)).attempts(5).jitter(0.0), ..run() };
    let one = stage.join().await?;
    one.work(stage, "s", &definition, &first, |_| Act::Done).await?;
    stage.publish(&one, (0..10).map(|n| keyed(n, &format!("k{n}"))).collect()).await?;
    stage.settled().await?;
    one.freeze();
    let two = stage.join().await?;
    two.work(stage, "s", &definition, &second, |_| Act::Fail).await?;
    stage.publish(&two, (10..20).map(|n| keyed(n, &format!("k{n}"))).collect()).await?;
    stage.until("the other has taken over", async || Ok(second.begun() >= 10)).await?;
    two.leave(stage).await?;
    one.thaw();
    // Nothing more is published: what it missed it has to find by itself.
    stage.settled().await?;
    let all: BTreeSet<u64> = first.numbers().into_iter().collect();
    ensure!(all.into_iter().eq(0..20), "the first acknowledged {:?}", first.numbers());
    stage.judged(&[stage.bounds("s", 5, true)]).await.map(|_| ())
}

pub(super) async fn an_event_that_kills_its_process_is_dead_after_its_attempts(stage: &Stage) -> Outcome {
    let book = Book::default();
    let script = |delivery: &crate::Delivery| if number(&delivery.event) == 13 { Act::Kill } else { Act::Done };
    let mut member = stage.join().await?;
    member.work(stage, "s", &run(), &book, script).await?;
    stage
        .publish(
            &member,
            (0..40).map(|n| if n % 2 == 0 { event(n) } else { keyed(n, &format!("k{}", n % 8)) }).collect(),
        )
        .await?;
    let mut killed = 0;
    for _ in 0..12 {
        stage.pass(Duration::from_secs(30)).await;
        if member.gate.state() != super::way::State::Dead {
            break;
        }
        killed += 1;
        member = stage.join().await?;
        member.work(stage, "s", &run(), &book, script).await?;
    }
    stage.settled().await?;
    ensure!((3..=5).contains(&killed), "it killed {killed} processes, of 3 attempts");
    let letters = stage.letters().await?;
    let shown: Vec<_> =
        letters.iter().map(|letter| (letter.entry.event().map(|event| number(event)), letter.cause)).collect();
    ensure_eq!(shown, [(Some(13), DeadCause::Lost)], "dead letters");
    let mut got = sorted(book.numbers());
    got.dedup();
    ensure_eq!(got, (0..40).filter(|n| *n != 13).collect::<Vec<_>>(), "everything else");
    stage.judged(&[stage.bounds("s", 3, true)]).await.map(|_| ())
}

pub(super) async fn a_killed_member_charges_no_event_that_it_ran_beside_others(stage: &Stage) -> Outcome {
    let book = Book::default();
    for round in 0..3 {
        let member = stage.join().await?;
        let slow = |_: &crate::Delivery| Act::Last(Duration::from_millis(1_400));
        member.work(stage, "s", &run(), &book, slow).await?;
        let events = (0..10).map(|n| keyed(round * 10 + n, &format!("k{n}")));
        stage.publish(&member, events.collect()).await?;
        stage.until_by("some run", Duration::from_secs(15), async || Ok(book.running() > 0)).await?;
        member.kill();
    }
    let last = stage.join().await?;
    last.work(stage, "s", &run(), &book, |_| Act::Done).await?;
    stage.settled().await?;
    let mut got = sorted(book.numbers());
    got.dedup();
    let dead = stage.letters().await?.len();
    ensure!(got.len() + dead >= 30 && dead <= 3, "{} acknowledged and {dead} dead after three losses", got.len());
    stage.judged(&[stage.bounds("s", 3, true)]).await.map(|_| ())
}
