use std::{collections::BTreeSet, time::Duration};

use busway_core::{
    Definition,
    conformance::{Failed, Outcome},
};

use super::{
    material::{ALL, With, event, keyed, name, number, pull, refused, sorted},
    member::Member,
    stage::Stage,
};
use crate::{Leased, SettleExtend, SettleRetry, Settlements};

fn numbers(leased: &[Leased]) -> Vec<u64> {
    leased.iter().filter_map(|leased| leased.entry.event().map(|event| number(event))).collect()
}

fn retry(leased: &Leased, delay: Option<Duration>) -> Settlements {
    let entry = SettleRetry { id: leased.delivery_id.clone(), delay, error: Some("later".into()) };
    Settlements { retry: vec![entry], ..Settlements::default() }
}

/// Two members and a subscription that both serve.
async fn two(stage: &Stage, definition: Definition) -> Result<(Member, Member), Failed> {
    let (one, two) = (stage.join().await?, stage.join().await?);
    stage.drive(one.engine.put(ALL, name("p"), definition, false)).await?;
    Ok((one, two))
}

pub(super) async fn what_is_pulled_here_may_be_settled_there_once_and_in_time(stage: &Stage) -> Outcome {
    let (one, two) = two(stage, pull()).await?;
    stage.publish(&one, (0..6).map(|n| keyed(n, &format!("k{n}"))).collect()).await?;
    let leased = one.pull(stage, "p", 10).await?;
    ensure_eq!(sorted(numbers(&leased)), [0, 1, 2, 3, 4, 5], "what was pulled");
    ensure_eq!(two.pull(stage, "p", 10).await?.len(), 0, "what another gets meanwhile");
    ensure_eq!(two.ack(stage, "p", &leased[..2]).await?, [true, true], "settled by another");
    ensure_eq!(one.ack(stage, "p", &leased[..3]).await?, [false, false, true], "two of three settled a second time");
    ensure_eq!(one.ack(stage, "p", &leased[2..3]).await?, [false], "settled twice by the same");
    stage.pass(Duration::from_secs(31)).await;
    let again = two.pull(stage, "p", 10).await?;
    ensure_eq!(sorted(numbers(&again)).len(), 3, "what comes again after its lease has ended");
    ensure!(again.iter().all(|leased| leased.attempt == 2), "an expired lease is no attempt: {again:?}");
    ensure_eq!(one.ack(stage, "p", &leased[3..]).await?, [false; 3], "settled late by the old holder");
    ensure_eq!(one.ack(stage, "p", &again).await?, [true; 3], "settled by the new one");
    stage.settled().await?;
    let view = two.engine.subscription(&ALL, &name("p")).await?;
    ensure_eq!((view.delivered_total, view.in_flight, view.lag_at_most), (6, 0, 0), "delivered, in flight, lag");
    Ok(())
}

pub(super) async fn nothing_is_leased_twice_by_many_who_pull_at_once(stage: &Stage) -> Outcome {
    let (one, two) = two(stage, pull()).await?;
    stage
        .publish(
            &one,
            (0..400).map(|n| if n % 3 == 0 { event(n) } else { keyed(n, &format!("k{}", n % 20)) }).collect(),
        )
        .await?;
    stage.pass(Duration::from_secs(2)).await;
    let mut seen = BTreeSet::new();
    for _ in 0..200 {
        let pull = |member: &Member| {
            let engine = member.engine.clone();
            async move { engine.pull(&ALL, &name("p"), 7, Duration::ZERO).await }
        };
        let (first, second) = stage.drive(async { tokio::try_join!(pull(&one), pull(&two)) }).await?;
        let both: Vec<u64> = [numbers(&first), numbers(&second)].concat();
        for n in both.iter().copied() {
            ensure!(seen.insert(n), "event {n} was leased twice");
        }
        ensure!(one.ack(stage, "p", &second).await?.into_iter().all(|settled| settled), "a settlement did not count");
        ensure!(two.ack(stage, "p", &first).await?.into_iter().all(|settled| settled), "a settlement did not count");
        if seen.len() == 400 {
            break;
        }
    }
    ensure_eq!(seen.len(), 400, "events pulled");
    stage.settled().await
}

pub(super) async fn a_key_is_pulled_in_order_and_by_one_at_a_time(stage: &Stage) -> Outcome {
    let (one, two) = two(stage, pull()).await?;
    stage.publish(&one, (0..10).map(|n| keyed(n, "k")).collect()).await?;
    stage.pass(Duration::from_secs(2)).await;
    let leased = one.pull(stage, "p", 4).await?;
    ensure_eq!(numbers(&leased), [0, 1, 2, 3], "the first of the key");
    ensure_eq!(two.pull(stage, "p", 100).await?.len(), 0, "what another gets of the key meanwhile");
    ensure_eq!(one.ack(stage, "p", &leased[1..2]).await?, [false], "a settlement of the second before the first");
    ensure_eq!(one.ack(stage, "p", &leased[..2]).await?, [true, true], "settlements in order");
    let told = one.settle(stage, "p", retry(&leased[2], Some(Duration::from_secs(5)))).await?;
    ensure_eq!(told, [true], "a failure");
    ensure_eq!(two.ack(stage, "p", &leased[3..]).await?, [false], "what came after the failed one");
    ensure_eq!(two.pull(stage, "p", 100).await?.len(), 0, "what is pulled while the failed one waits");
    stage.pass(Duration::from_secs(6)).await;
    let again = two.pull(stage, "p", 3).await?;
    ensure_eq!((numbers(&again), again[0].attempt), (vec![2], 2), "what comes after the delay, alone, and its attempt");
    ensure!(again[0].fence > leased[0].fence, "the fence did not rise");
    two.ack(stage, "p", &again).await?;
    let rest = one.pull(stage, "p", 100).await?;
    ensure_eq!(numbers(&rest), [3, 4, 5, 6, 7, 8, 9], "the rest of the key");
    one.ack(stage, "p", &rest).await?;
    stage.settled().await
}

pub(super) async fn an_expired_lease_counts_an_attempt_of_its_first_event_alone(stage: &Stage) -> Outcome {
    let (one, two) = two(stage, pull().attempts(2)).await?;
    stage.publish(&one, (0..3).map(|n| keyed(n, "k")).collect()).await?;
    let first = one.pull(stage, "p", 10).await?;
    ensure_eq!(numbers(&first), [0, 1, 2], "the first lease");
    stage.pass(Duration::from_secs(31)).await;
    let second = two.pull(stage, "p", 10).await?;
    ensure_eq!(second.iter().map(|leased| leased.attempt).collect::<Vec<_>>(), [2], "attempts of the second");
    ensure_eq!(numbers(&second), [0], "the second lease");
    stage.pass(Duration::from_secs(31)).await;
    let third = one.pull(stage, "p", 10).await?;
    ensure_eq!(numbers(&third), [1, 2], "what is left once the first has used its attempts up");
    ensure!(third.iter().all(|leased| leased.attempt == 1), "the others were charged: {third:?}");
    let letters = stage.letters().await?;
    ensure_eq!(
        letters
            .iter()
            .map(|letter| (letter.entry.event().map(|event| number(event)), letter.attempts))
            .collect::<Vec<_>>(),
        [(Some(0), 2)],
        "dead letters"
    );
    one.ack(stage, "p", &third).await?;
    stage.settled().await
}

pub(super) async fn a_lease_is_extended(stage: &Stage) -> Outcome {
    let (one, two) = two(stage, pull()).await?;
    stage.publish(&one, vec![keyed(1, "k")]).await?;
    let leased = one.pull(stage, "p", 1).await?;
    for _ in 0..5 {
        stage.pass(Duration::from_secs(25)).await;
        let entry = SettleExtend { id: leased[0].delivery_id.clone(), by: Duration::from_secs(30) };
        let told = two.settle(stage, "p", Settlements { extend: vec![entry], ..Settlements::default() }).await?;
        ensure_eq!(told, [true], "an extension");
        ensure_eq!(two.pull(stage, "p", 1).await?.len(), 0, "what another gets of an extended lease");
    }
    ensure_eq!(one.ack(stage, "p", &leased).await?, [true], "a settlement after 125 s");
    stage.settled().await
}

pub(super) async fn a_failed_pull_is_retried_by_the_policy_and_dead_at_last(stage: &Stage) -> Outcome {
    let (one, two) = two(stage, pull()).await?;
    stage.publish(&one, vec![keyed(1, "k"), keyed(2, "k")]).await?;
    for attempt in 1..=3 {
        let leased = [&one, &two][attempt as usize % 2].pull(stage, "p", 1).await?;
        let told: Vec<_> = leased.iter().map(|leased| leased.attempt).collect();
        ensure_eq!((numbers(&leased), told), (vec![1], vec![attempt]), "the event and its attempt");
        one.settle(stage, "p", retry(&leased[0], None)).await?;
        ensure_eq!(one.pull(stage, "p", 1).await?.len(), usize::from(attempt == 3), "what comes before the delay");
        stage.pass(Duration::from_millis(110)).await;
    }
    let letters = stage.letters().await?;
    ensure_eq!(
        letters.iter().map(|letter| (letter.attempts, &*letter.error)).collect::<Vec<_>>(),
        [(3, "later")],
        "dead letters"
    );
    Ok(())
}

pub(super) async fn a_delivery_named_twice_is_refused_and_nothing_applied(stage: &Stage) -> Outcome {
    let (one, _) = two(stage, pull()).await?;
    stage.publish(&one, vec![keyed(1, "k")]).await?;
    let leased = one.pull(stage, "p", 1).await?;
    let ack = vec![leased[0].delivery_id.clone()];
    let twice = Settlements { ack, ..retry(&leased[0], None) };
    ensure_eq!(refused(one.engine.settle(&ALL, &name("p"), twice).await), "invalid_body", "a delivery named twice");
    let nonsense = Settlements { ack: vec!["nonsense".into(), "0-1-2-3".into()], ..Settlements::default() };
    ensure_eq!(one.settle(stage, "p", nonsense).await?, [false, false], "what is nobody's delivery");
    ensure_eq!(one.ack(stage, "p", &leased).await?, [true], "the settlement afterwards");
    Ok(())
}

pub(super) async fn a_pull_that_waits_is_woken_by_an_event_and_by_a_delay(stage: &Stage) -> Outcome {
    let (one, two) = two(stage, pull()).await?;
    let wait = |member: &Member| {
        let engine = member.engine.clone();
        tokio::spawn(async move { engine.pull(&ALL, &name("p"), 10, Duration::from_secs(600)).await })
    };
    let began = busway_core::Clock::elapsed(&*stage.clock);
    let waiting = wait(&one);
    stage.settle().await;
    ensure!(!waiting.is_finished(), "a pull of nothing does not wait");
    stage.publish(&two, vec![keyed(1, "k")]).await?;
    let leased = stage.drive(async { waiting.await.unwrap_or_else(|_| Ok(Vec::new())) }).await?;
    ensure_eq!(numbers(&leased), [1], "what woke it");
    one.settle(stage, "p", retry(&leased[0], Some(Duration::from_secs(9)))).await?;
    let waiting = wait(&two);
    let again = stage.drive(async { waiting.await.unwrap_or_else(|_| Ok(Vec::new())) }).await?;
    ensure_eq!(numbers(&again), [1], "what the delay woke it with");
    let took = busway_core::Clock::elapsed(&*stage.clock) - began;
    ensure!(took < Duration::from_secs(15), "both took {took:?}");
    Ok(())
}
