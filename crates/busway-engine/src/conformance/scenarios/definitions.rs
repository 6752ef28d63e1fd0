use std::time::Duration;

use busway_core::conformance::Outcome;

use super::{
    acting::{Act, Book},
    material::{ALL, With, name, number, pull, refused, run, sorted, typed},
    stage::Stage,
};
use crate::Put;

pub(super) async fn another_definition_under_the_same_name_is_refused(stage: &Stage) -> Outcome {
    let (one, two, book) = (stage.join().await?, stage.join().await?, Book::default());
    one.work(stage, "s", &run(), &book, |_| Act::Done).await?;
    two.work(stage, "s", &run(), &book, |_| Act::Done).await?;
    for other in [run().attempts(9), run().with(&["other"])] {
        let handler = std::sync::Arc::new(two.acting("s", other.order, &book, |_| Act::Done));
        let subscribed = two.engine.subscribe(ALL, name("s"), other.clone(), false, handler).await;
        ensure_eq!(refused(subscribed), "definition_differs", "a subscription with another definition");
        ensure_eq!(refused(two.engine.put(ALL, name("s"), other, false).await), "definition_differs", "a put of it");
    }
    ensure_eq!(refused(two.engine.put(ALL, name("s"), pull(), true).await), "wrong_mode", "an update to another mode");
    ensure_eq!(refused(two.engine.pull(&ALL, &name("s"), 1, Duration::ZERO).await), "wrong_mode", "a pull in mode run");
    let (put, view) = stage.drive(two.engine.put(ALL, name("s"), run(), false)).await?;
    ensure_eq!((put, view.revision), (Put::Same, 1), "the same definition once more");
    Ok(())
}

pub(super) async fn of_two_who_make_a_subscription_at_once_one_makes_it(stage: &Stage) -> Outcome {
    let (one, two) = (stage.join().await?, stage.join().await?);
    for round in 0..10 {
        let put = |engine: &crate::Engine| {
            let engine = engine.clone();
            async move { engine.put(ALL, name(&format!("s{round}")), run(), false).await }
        };
        let (first, second) = stage.drive(async { tokio::try_join!(put(&one.engine), put(&two.engine)) }).await?;
        ensure_eq!(first.1.id, second.1.id, "the subscription that both see");
        ensure!((first.0 == Put::Made) != (second.0 == Put::Made), "made by {:?} and {:?}", first.0, second.0);
    }
    ensure_eq!(stage.stores.checkpoints.subscriptions().await?.len(), 10, "subscriptions");
    Ok(())
}

pub(super) async fn an_update_takes_effect_at_one_point(stage: &Stage) -> Outcome {
    let (one, two, book) = (stage.join().await?, stage.join().await?, Book::default());
    let before = run().with(&["a"]);
    one.work(stage, "s", &before, &book, |_| Act::Last(Duration::from_millis(10))).await?;
    two.work(stage, "s", &before, &book, |_| Act::Last(Duration::from_millis(10))).await?;
    let both = |from: u64| (from..from + 200).map(|n| typed(n, if n % 2 == 0 { "a" } else { "b" })).collect();
    stage.publish(&one, both(0)).await?;
    let after = run().with(&["b"]);
    let (put, view) = stage.drive(one.engine.put(ALL, name("s"), after.clone(), true)).await?;
    ensure_eq!((put, view.revision), (Put::Changed, 2), "the update");
    ensure_eq!(view.definition.types, after.types, "the patterns shown");
    stage.publish(&two, both(200)).await?;
    stage.settled().await?;
    let expected: Vec<u64> = (0..200).filter(|n| n % 2 == 0).chain((200..400).filter(|n| n % 2 == 1)).collect();
    ensure_eq!(sorted(book.numbers()), expected, "what was delivered: old events by the old patterns, new by the new");
    Ok(())
}

pub(super) async fn an_update_of_a_pull_subscription_takes_effect_at_one_point(stage: &Stage) -> Outcome {
    let (one, two) = (stage.join().await?, stage.join().await?);
    stage.drive(one.engine.put(ALL, name("p"), pull().with(&["a"]), false)).await?;
    let both = |from: u64| (from..from + 20).map(|n| typed(n, if n % 2 == 0 { "a" } else { "b" })).collect();
    stage.publish(&one, both(0)).await?;
    stage.drive(two.engine.put(ALL, name("p"), pull().with(&["b"]), true)).await?;
    stage.publish(&two, both(20)).await?;
    let mut got = Vec::new();
    // The first of them has not heard of the update yet.
    for member in [&one, &two, &one, &two] {
        let leased = member.pull(stage, "p", 100).await?;
        member.ack(stage, "p", &leased).await?;
        got.extend(leased.iter().filter_map(|leased| leased.entry.event().map(|event| number(event))));
    }
    let expected: Vec<u64> = (0..20).filter(|n| n % 2 == 0).chain((20..40).filter(|n| n % 2 == 1)).collect();
    ensure_eq!(sorted(got), expected, "what was pulled");
    Ok(())
}

pub(super) async fn an_update_of_the_policy_reaches_what_is_held(stage: &Stage) -> Outcome {
    let (member, book) = (stage.join().await?, Book::default());
    let mut patient = run().attempts(100);
    patient.retry.delay_ms = 1_000;
    member.work(stage, "s", &patient, &book, |_| Act::Fail).await?;
    stage.publish(&member, vec![typed(1, "a")]).await?;
    stage.until("a few attempts were made", async || Ok(book.begun() >= 3)).await?;
    let mut strict = patient.clone();
    strict.retry.attempts = 5;
    stage.drive(member.engine.put(ALL, name("s"), strict, true)).await?;
    stage.settled().await?;
    ensure_eq!(book.begun(), 5, "runs");
    ensure_eq!(stage.letters().await?.len(), 1, "dead letters");
    Ok(())
}

pub(super) async fn a_member_without_a_handler_for_a_type_gives_the_lane_back(stage: &Stage) -> Outcome {
    let [old, new] = [Book::default(), Book::default()];
    let definition = run().with(&["a", "b"]);
    let one = stage.join().await?;
    let mut acting = one.acting("s", definition.order, &old, |_| Act::Done);
    acting.types = vec!["a"];
    one.handle(stage, "s", &definition, acting).await?;
    let events = |from: u64| (from..from + 40).map(|n| typed(n, if n % 4 == 3 { "b" } else { "a" })).collect();
    stage.publish(&one, events(0)).await?;
    stage.pass(Duration::from_secs(30)).await;
    ensure!(
        old.numbers().iter().all(|n| n % 4 != 3),
        "it acknowledged what it has no handler for: {:?}",
        old.numbers()
    );
    let two = stage.join().await?;
    two.work(stage, "s", &definition, &new, |_| Act::Done).await?;
    stage.publish(&one, events(40)).await?;
    stage.settled().await?;
    ensure_eq!(sorted([old.numbers(), new.numbers()].concat()), (0..80).collect::<Vec<_>>(), "what both got together");
    ensure!(old.numbers().iter().all(|n| n % 4 != 3), "the old one acknowledged what it has no handler for");
    Ok(())
}

pub(super) async fn a_second_handler_in_one_process_is_refused(stage: &Stage) -> Outcome {
    let (member, book) = (stage.join().await?, Book::default());
    member.work(stage, "s", &run(), &book, |_| Act::Done).await?;
    let handler = std::sync::Arc::new(member.acting("s", run().order, &book, |_| Act::Done));
    let second = member.engine.subscribe(ALL, name("s"), run(), false, handler.clone()).await;
    ensure_eq!(refused(second), "definition_differs", "a second handler");
    stage.drive(member.engine.unsubscribe(&ALL, &name("s"))).await?;
    stage.publish(&member, vec![typed(1, "a")]).await?;
    stage.pass(Duration::from_secs(10)).await;
    ensure_eq!(book.begun(), 0, "runs after the handler went");
    stage.drive(member.engine.subscribe(ALL, name("s"), run(), false, handler)).await?;
    stage.settled().await?;
    ensure_eq!(book.numbers(), [1], "what was delivered once it came back");
    Ok(())
}
