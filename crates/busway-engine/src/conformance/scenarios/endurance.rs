use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use busway_core::{Definition, Payload, Retry, SubscriptionState, conformance::Outcome};

use super::{
    acting::{Act, Book},
    material::{ALL, With, event, keyed, name, number, pull, run, scaled, sorted},
    stage::Stage,
};

pub(super) async fn a_failing_key_with_many_siblings_delays_no_other_and_keeps_its_order(stage: &Stage) -> Outcome {
    let siblings = scaled(2_000, 100_000);
    let (book, mended) = (Book::default(), Arc::new(AtomicBool::new(false)));
    let script = |mended: &Arc<AtomicBool>| {
        let mended = Arc::clone(mended);
        move |delivery: &crate::Delivery| match number(&delivery.event) {
            0 if !mended.load(Ordering::Relaxed) => Act::Fail,
            _ => Act::Done,
        }
    };
    let retry = Retry::fixed(Duration::from_secs(60)).attempts(1_000).jitter(0.0);
    let definition = Definition { retry, ..run() };
    let member = stage.join().await?;
    member.work(stage, "s", &definition, &book, script(&mended)).await?;
    let bulky = |n: u64| {
        let mut event = keyed(n, "bad");
        event.payload = Payload::from_store(format!("{{\"n\":{n},\"x\":\"{}\"}}", "y".repeat(1_000)));
        event
    };
    stage.publish(&member, vec![bulky(0)]).await?;
    stage.settle().await;
    member.way.asked().written = 0;
    for batch in 0..siblings / 100 {
        stage.publish(&member, (1..=100).map(|n| bulky(batch * 100 + n)).collect()).await?;
        stage.publish(&member, vec![keyed(1_000_000 + batch, &format!("good-{}", batch % 20))]).await?;
        stage.settle().await;
        ensure_eq!(book.of(1_000_000 + batch).len(), 1, "runs of another key's event at once");
    }
    stage.pass(Duration::from_secs(30)).await;
    let written = member.way.asked().written;
    ensure!(written < siblings as usize * 250, "{written} bytes were written for {siblings} siblings of 1,000 bytes");
    let position = stage.drive(member.engine.subscription(&ALL, &name("s"))).await?;
    ensure_eq!((position.lag_at_most, position.held), (0, 1), "lag and keys held");
    member.leave(stage).await?;
    let next = stage.join().await?;
    mended.store(true, Ordering::Relaxed);
    next.work(stage, "s", &definition, &book, script(&mended)).await?;
    stage.settled().await?;
    let of_key: Vec<u64> = book.numbers().into_iter().filter(|n| *n < 1_000_000).collect();
    ensure_eq!(of_key.len() as u64, siblings + 1, "events of the key acknowledged");
    ensure!(of_key.is_sorted(), "the key's events did not arrive in order");
    ensure_eq!(stage.letters().await?.len(), 0, "dead letters");
    Ok(())
}

pub(super) async fn an_event_that_takes_ten_minutes_pins_nothing(stage: &Stage) -> Outcome {
    let (member, book) = (stage.join().await?, Book::default());
    let definition = Definition { ack_timeout_ms: 900_000, ..run() };
    member
        .work(stage, "s", &definition, &book, |delivery| match number(&delivery.event) {
            0 => Act::Last(Duration::from_secs(600)),
            _ => Act::Done,
        })
        .await?;
    stage.publish(&member, vec![keyed(0, "slow"), keyed(1, "slow")]).await?;
    stage.pass(Duration::from_secs(2)).await;
    for round in 0..30 {
        stage
            .publish(&member, (0..100).map(|n| keyed(100 + round * 100 + n, &format!("k{}", n % 30))).collect())
            .await?;
        stage.pass(Duration::from_secs(2)).await;
    }
    ensure_eq!(book.acked(), 3_000, "events handled beside it");
    let view = stage.drive(member.engine.subscription(&ALL, &name("s"))).await?;
    ensure_eq!((view.lag_at_most, view.held, view.in_flight), (0, 1, 1), "lag, keys held, in flight");
    ensure_eq!(book.of(1).len(), 0, "runs of its own key's next");
    stage.settled().await?;
    ensure_eq!((book.of(0).len(), book.of(1).len()), (1, 1), "runs of the slow one and of its next");
    Ok(())
}

pub(super) async fn when_everything_fails_the_breaker_opens_and_writes_stay_bounded(stage: &Stage) -> Outcome {
    let many = scaled(5_000, 100_000);
    let (member, book, mended) = (stage.join().await?, Book::default(), Arc::new(AtomicBool::new(false)));
    let healed = Arc::clone(&mended);
    let definition = run().attempts(1_000);
    let definition = Definition { retry: Retry { delay_ms: 1_000, ..definition.retry }, ..definition };
    member
        .work(
            stage,
            "s",
            &definition,
            &book,
            move |_| if healed.load(Ordering::Relaxed) { Act::Done } else { Act::Fail },
        )
        .await?;
    stage.publish(&member, (0..many).map(event).collect()).await?;
    stage.pass(Duration::from_secs(120)).await;
    let view = stage.drive(member.engine.subscription(&ALL, &name("s"))).await?;
    ensure_eq!(view.state, SubscriptionState::Broken, "its state");
    // What has one type and tenant is in one lane: its breaker opens at 50, and what ran beside is held too.
    ensure!(view.held <= 66, "{} keys are held", view.held);
    let (begun, commits) = (book.begun(), member.way.asked().of("commit"));
    stage.pass(Duration::from_secs(60)).await;
    let (begun, commits) = (book.begun() - begun, member.way.asked().of("commit") - commits);
    ensure!(begun > 0, "nothing finds out whether it is over");
    // Each key that is held once a second, as its policy has it, however many events wait.
    let most = view.held * 61;
    ensure!(begun as u64 <= most && commits <= most * 2, "{begun} runs and {commits} commits in a minute of failing");
    mended.store(true, Ordering::Relaxed);
    stage.settled().await?;
    let got: BTreeSet<u64> = book.numbers().into_iter().collect();
    ensure_eq!((got.len() as u64, book.acked() as u64), (many, many), "events acknowledged once it is over");
    ensure_eq!(
        stage.drive(member.engine.subscription(&ALL, &name("s"))).await?.state,
        SubscriptionState::Running,
        "its state then"
    );
    Ok(())
}

pub(super) async fn a_lane_with_too_many_holds_says_so_and_goes_on_when_they_are_over(stage: &Stage) -> Outcome {
    let config = crate::Config { max_holds: 20, breaker: 1_000_000, ..Stage::config() };
    let (member, book, mended) = (stage.join_as(config).await?, Book::default(), Arc::new(AtomicBool::new(false)));
    let healed = Arc::clone(&mended);
    let definition = run().attempts(1_000);
    member
        .work(
            stage,
            "s",
            &definition,
            &book,
            move |_| if healed.load(Ordering::Relaxed) { Act::Done } else { Act::Fail },
        )
        .await?;
    stage.publish(&member, (0..2_000).map(event).collect()).await?;
    stage.pass(Duration::from_secs(10)).await;
    let view = stage.drive(member.engine.subscription(&ALL, &name("s"))).await?;
    ensure_eq!(view.state, SubscriptionState::Saturated, "its state");
    ensure!(view.held <= 20 + 1_024, "{} keys are held", view.held);
    mended.store(true, Ordering::Relaxed);
    stage.settled().await?;
    ensure_eq!(sorted(book.numbers()), (0..2_000).collect::<Vec<_>>(), "what was delivered");
    Ok(())
}

pub(super) async fn an_idle_engine_asks_its_store_for_little(stage: &Stage) -> Outcome {
    let (member, book) = (stage.join().await?, Book::default());
    for n in 0..5 {
        member.work(stage, &format!("s{n}"), &run(), &book, |_| Act::Done).await?;
    }
    stage.drive(member.engine.put(ALL, name("p"), pull(), false)).await?;
    stage.publish(&member, (0..100).map(event).collect()).await?;
    stage.pass(Duration::from_secs(10)).await;
    let before = member.way.asked().clone();
    stage.pass(Duration::from_secs(100)).await;
    let after = member.way.asked().clone();
    let calls = after.total() - before.total();
    ensure!(calls <= 1_000, "{calls} calls in 100 idle seconds: {before:?}, then {after:?}");
    ensure_eq!(after.of("commit") - before.of("commit"), 0, "commits while nothing happens");
    stage.publish(&member, vec![event(100)]).await?;
    stage.settle().await;
    ensure_eq!(book.of(100).len(), 5, "runs at once of an event that ends the idleness");
    Ok(())
}

pub(super) async fn who_only_publishes_asks_for_no_ends(stage: &Stage) -> Outcome {
    let (member, book) = (stage.join().await?, Book::default());
    stage.pass(Duration::from_secs(1)).await;
    let ends_asked = || {
        let asked = member.way.asked();
        asked.of("heads") + asked.of("tail")
    };
    let before = ends_asked();
    for n in 0..100 {
        stage.publish(&member, vec![event(n)]).await?;
    }
    let asked = ends_asked() - before;
    ensure!(asked <= 20, "{asked} times the ends were asked for while 100 events were published");
    member.work(stage, "s", &run(), &book, |_| Act::Done).await?;
    stage.settled().await?;
    ensure_eq!(book.begun(), 100, "runs of who comes later");
    Ok(())
}

pub(super) async fn whoever_hears_of_events_all_the_time_looks_at_the_log_itself_too(stage: &Stage) -> Outcome {
    let (member, book) = (stage.join().await?, Book::default());
    member.work(stage, "s", &run(), &book, |_| Act::Done).await?;
    stage.publish(&member, vec![event(0)]).await?;
    let before = member.way.asked().of("heads");
    for n in 1..1_000 {
        stage.publish(&member, vec![event(n)]).await?;
        stage.pass(Duration::from_millis(10)).await;
    }
    let asked = member.way.asked().of("heads") - before;
    let shared = stage.stores.log.capabilities().shared;
    ensure!(!shared || asked >= 5, "only {asked} times in ten seconds was it asked whether the log is still the same");
    stage.settled().await?;
    ensure_eq!(book.begun(), 1_000, "runs");
    Ok(())
}

pub(super) async fn what_nobody_wants_costs_few_commits(stage: &Stage) -> Outcome {
    let (member, book) = (stage.join().await?, Book::default());
    member.work(stage, "s", &run().with(&["other"]), &book, |_| Act::Done).await?;
    stage.settle().await;
    let before = member.way.asked().of("commit");
    for n in 0..200 {
        stage.publish(&member, (0..10).map(|m| event(n * 10 + m)).collect()).await?;
        stage.pass(Duration::from_millis(10)).await;
    }
    stage.pass(Duration::from_secs(10)).await;
    let commits = member.way.asked().of("commit") - before;
    let lanes = u64::from(stage.stores.log.lanes());
    ensure!(commits <= 10 * lanes, "{commits} commits for 2 seconds of events that nobody wants");
    ensure_eq!(stage.drive(member.engine.subscription(&ALL, &name("s"))).await?.lag_at_most, 0, "the lag");
    Ok(())
}
