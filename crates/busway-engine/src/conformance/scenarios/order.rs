use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use busway_core::{Definition, Order, Random, SeededRandom, conformance::Outcome};

use super::{
    acting::{Act, Book},
    material::{event, keyed, number, run, sorted, tenant, typed},
    member::Member,
    stage::Stage,
};
use crate::Delivery;

/// Fails every fifth run, and takes its time for some.
fn moody(seed: u64) -> impl Fn(&Delivery) -> Act + Send + Sync + 'static {
    let random = SeededRandom::new(seed);
    move |delivery| match random.next() % 20 {
        // What has failed twice is let through, so that few are dead.
        0..4 if delivery.attempt < 3 => Act::Fail,
        4..8 => Act::Last(Duration::from_millis(random.next() % 300)),
        8 => Act::Last(Duration::from_millis(1_500)),
        _ => Act::Done,
    }
}

async fn keys_keep_their_order(stage: &Stage, members: u64) -> Outcome {
    let random = SeededRandom::new(members);
    let definition = run();
    let book = Book::default();
    let work = async |member: &Member| member.work(stage, "keys", &definition, &book, moody(member.index as u64)).await;
    let mut alive: Vec<Member> = Vec::new();
    for _ in 0..members {
        let member = stage.join().await?;
        work(&member).await?;
        alive.push(member);
    }
    let published = AtomicU64::new(0);
    for round in 0..24 {
        let events = (0..40).map(|_| {
            let n = published.fetch_add(1, Ordering::Relaxed);
            keyed(n, &format!("k{}", random.next() % 64))
        });
        stage.publish(&alive[(random.next() % alive.len() as u64) as usize], events.collect()).await?;
        stage.pass(Duration::from_millis(random.next() % 900)).await;
        let chosen = (random.next() % alive.len() as u64) as usize;
        match round % 6 {
            1 => {
                let member = alive.swap_remove(chosen);
                member.leave(stage).await?;
            }
            3 => alive.swap_remove(chosen).kill(),
            5 => {
                alive[chosen].freeze();
                stage.pass(Duration::from_secs(12)).await;
                alive[chosen].thaw();
            }
            _ => continue,
        }
        while (alive.len() as u64) < members {
            let member = stage.join().await?;
            work(&member).await?;
            alive.push(member);
        }
    }
    stage.settled().await?;
    let summary = stage.judged(&[stage.bounds("keys", definition.retry.attempts, true)]).await?;
    ensure_eq!(summary.acknowledged, 24 * 40, "events published");
    ensure!(summary.losses >= 8, "only {} members were lost", summary.losses);
    Ok(())
}

pub(super) async fn keys_keep_their_order_with_one_member(stage: &Stage) -> Outcome {
    keys_keep_their_order(stage, 1).await
}

pub(super) async fn keys_keep_their_order_with_four_members(stage: &Stage) -> Outcome {
    keys_keep_their_order(stage, 4).await
}

pub(super) async fn keys_keep_their_order_with_sixteen_members(stage: &Stage) -> Outcome {
    keys_keep_their_order(stage, 16).await
}

pub(super) async fn without_faults_nothing_is_repeated_and_no_key_overlaps(stage: &Stage) -> Outcome {
    let book = Book::default();
    let mut members = Vec::new();
    for _ in 0..4 {
        let member = stage.join().await?;
        member
            .work(stage, "keys", &run(), &book, |delivery| {
                Act::Last(Duration::from_millis(delivery.stored_at.as_millis().unsigned_abs() % 7))
            })
            .await?;
        members.push(member);
    }
    for round in 0..5 {
        let events = (0..200).map(|n| keyed(round * 200 + n, &format!("k{}", n % 64))).collect();
        stage.publish(&members[round as usize % 4], events).await?;
        stage.pass(Duration::from_millis(50)).await;
    }
    stage.settled().await?;
    let summary = stage.judged(&[stage.bounds("keys", 3, true)]).await?;
    ensure_eq!((summary.delivered, summary.repeated, summary.losses), (1_000, 0, 0), "delivered, repeated, lost");
    Ok(())
}

/// The most that ran side by side.
fn widest(book: &Book) -> usize {
    book.runs().iter().map(|run| run.beside).max().unwrap_or(0)
}

pub(super) async fn events_without_a_key_run_side_by_side(stage: &Stage) -> Outcome {
    let (member, book) = (stage.join().await?, Book::default());
    member.work(stage, "s", &run(), &book, |_| Act::Last(Duration::from_millis(100))).await?;
    stage.publish(&member, (0..32).map(event).collect()).await?;
    stage.settled().await?;
    ensure_eq!(widest(&book), 16, "runs side by side, of concurrency 16");
    ensure_eq!(sorted(book.numbers()), (0..32).collect::<Vec<_>>(), "what was delivered");
    Ok(())
}

pub(super) async fn order_by_type_runs_one_of_a_type_and_tenant_at_a_time(stage: &Stage) -> Outcome {
    let (member, book) = (stage.join().await?, Book::default());
    let definition = Definition { order: Order::Type, ..run() };
    member
        .work(stage, "s", &definition, &book, |delivery| match delivery.attempt {
            1 if number(&delivery.event).is_multiple_of(5) => Act::Fail,
            _ => Act::Last(Duration::from_millis(10)),
        })
        .await?;
    let events = (0..60).map(|n| {
        let event = typed(n, if n % 2 == 0 { "even" } else { "odd" });
        if n % 3 == 0 { event.with_tenant(tenant("hill")) } else { event }
    });
    stage.publish(&member, events.collect()).await?;
    stage.settled().await?;
    ensure_eq!(sorted(book.numbers()), (0..60).collect::<Vec<_>>(), "what was delivered");
    for (of, third) in [("even", true), ("even", false), ("odd", true), ("odd", false)] {
        let numbers: Vec<u64> =
            book.numbers().into_iter().filter(|n| (n % 2 == 0) == (of == "even") && (n % 3 == 0) == third).collect();
        ensure_eq!(numbers, sorted(numbers.clone()), "the order of {of}, {third}");
    }
    stage.judged(&[stage.bounds("s", 3, true)]).await.map(|_| ())
}

pub(super) async fn no_order_lets_events_of_a_key_run_side_by_side(stage: &Stage) -> Outcome {
    let (member, book) = (stage.join().await?, Book::default());
    let definition = Definition { order: Order::None, ..run() };
    member
        .work(stage, "s", &definition, &book, |delivery| match number(&delivery.event) {
            0 if delivery.attempt < 3 => Act::Fail,
            _ => Act::Last(Duration::from_millis(50)),
        })
        .await?;
    stage.publish(&member, (0..32).map(|n| keyed(n, "same")).collect()).await?;
    stage.settled().await?;
    ensure_eq!(sorted(book.numbers()), (0..32).collect::<Vec<_>>(), "what was delivered");
    ensure!(widest(&book) > 8, "only {} ran side by side", widest(&book));
    ensure_eq!(book.numbers().last().copied(), Some(0), "the last to be acknowledged, which failed twice");
    Ok(())
}
