use std::time::Duration;

use busway_core::{DeadCause, Definition, Retry, conformance::Outcome};

use super::{
    acting::{Act, Book},
    material::{With, event, keyed, number, run, sorted},
    stage::Stage,
};

pub(super) async fn delays_between_attempts_follow_the_policy(stage: &Stage) -> Outcome {
    let member = stage.join().await?;
    let second = Duration::from_secs(1);
    let policies = [
        (Retry::exponential(second).attempts(5).jitter(0.0).max_delay(second * 5), vec![1_000, 2_000, 4_000, 5_000]),
        (Retry::fixed(second * 3).attempts(4).jitter(0.0), vec![3_000, 3_000, 3_000]),
        (Retry::fixed(second).attempts(1), vec![]),
    ];
    for (index, (retry, delays)) in policies.into_iter().enumerate() {
        let (name, book) = (format!("s{index}"), Book::default());
        let definition = Definition { retry, ..run().from(busway_core::Start::Latest) };
        member.work(stage, &name, &definition, &book, |_| Act::Fail).await?;
        stage.publish(&member, vec![keyed(index as u64, "k")]).await?;
        stage.settled().await?;
        let runs = book.of(index as u64);
        let attempts: Vec<u32> = runs.iter().map(|run| run.attempt).collect();
        ensure_eq!(attempts, (1..=delays.len() as u32 + 1).collect::<Vec<_>>(), "attempts of {retry:?}");
        let waited: Vec<u128> = runs.windows(2).map(|pair| (pair[1].started - pair[0].started).as_millis()).collect();
        let close = waited.iter().zip(&delays).all(|(waited, delay)| (*delay..delay + 50).contains(waited));
        ensure!(close, "delays of {retry:?}: expected {delays:?}, found {waited:?}");
    }
    Ok(())
}

pub(super) async fn jitter_only_takes_away(stage: &Stage) -> Outcome {
    let (member, book) = (stage.join().await?, Book::default());
    let retry = Retry::fixed(Duration::from_secs(10)).attempts(2).jitter(0.5);
    member
        .work(stage, "s", &Definition { retry, ..run() }, &book, |delivery| match delivery.attempt {
            1 => Act::Fail,
            _ => Act::Done,
        })
        .await?;
    stage.publish(&member, (0..40).map(event).collect()).await?;
    stage.settled().await?;
    let mut waited = Vec::new();
    for n in 0..40 {
        let runs = book.of(n);
        ensure_eq!(runs.len(), 2, "runs of event {n}");
        waited.push((runs[1].started - runs[0].started).as_millis());
    }
    ensure!(waited.iter().all(|waited| (5_000..=10_050).contains(waited)), "delays outside 5 to 10 s: {waited:?}");
    waited.sort_unstable();
    waited.dedup();
    ensure!(waited.len() > 10, "delays are hardly left to chance: {waited:?}");
    Ok(())
}

pub(super) async fn a_handler_may_choose_its_delay(stage: &Stage) -> Outcome {
    let (member, book) = (stage.join().await?, Book::default());
    member
        .work(stage, "s", &run(), &book, |delivery| match delivery.attempt {
            1 => Act::FailFor(Duration::from_secs(90)),
            _ => Act::Done,
        })
        .await?;
    stage.publish(&member, vec![event(1)]).await?;
    stage.settled().await?;
    let runs = book.of(1);
    ensure_eq!(runs.len(), 2, "runs");
    let waited = runs[1].started - runs[0].started;
    ensure!((90_000..90_050).contains(&waited.as_millis()), "waited {waited:?}, not 90 s");
    Ok(())
}

pub(super) async fn attempts_survive_a_restart(stage: &Stage) -> Outcome {
    let book = Book::default();
    let retry = Retry::fixed(Duration::from_secs(60)).attempts(4).jitter(0.0);
    let definition = Definition { retry, ..run() };
    for round in 1..=4_u32 {
        let member = stage.join().await?;
        member
            .work(
                stage,
                "s",
                &definition,
                &book,
                |delivery| if number(&delivery.event) == 1 { Act::Fail } else { Act::Done },
            )
            .await?;
        if round == 1 {
            stage.publish(&member, vec![keyed(1, "k"), keyed(2, "k"), keyed(3, "other")]).await?;
        }
        stage.until("the next attempt is made", async || Ok(book.of(1).len() >= round as usize)).await?;
        member.leave(stage).await?;
    }
    let attempts: Vec<u32> = book.of(1).iter().map(|run| run.attempt).collect();
    ensure_eq!(attempts, [1, 2, 3, 4], "attempts, over four members");
    let waited: Vec<u64> = book.of(1).windows(2).map(|pair| (pair[1].started - pair[0].started).as_secs()).collect();
    ensure_eq!(waited, [60, 60, 60], "seconds between them");
    let last = stage.join().await?;
    last.work(stage, "s", &definition, &book, |_| Act::Done).await?;
    stage.settled().await?;
    ensure_eq!(book.numbers(), [3, 2], "what was acknowledged");
    ensure_eq!(stage.letters().await?.len(), 1, "dead letters");
    Ok(())
}

pub(super) async fn what_was_settled_is_not_delivered_again_after_a_restart(stage: &Stage) -> Outcome {
    let book = Book::default();
    for round in 0..5 {
        let member = stage.join().await?;
        member.work(stage, "s", &run(), &book, |_| Act::Done).await?;
        let events = (0..50).map(|n| if n % 2 == 0 { event(round * 50 + n) } else { keyed(round * 50 + n, "k") });
        stage.publish(&member, events.collect()).await?;
        stage.settled().await?;
        member.leave(stage).await?;
    }
    ensure_eq!(book.begun(), 250, "runs");
    ensure_eq!(sorted(book.numbers()), (0..250).collect::<Vec<_>>(), "what was delivered");
    Ok(())
}

pub(super) async fn the_last_failure_goes_to_the_dead_letters_with_all_that_is_known(stage: &Stage) -> Outcome {
    let (member, book) = (stage.join().await?, Book::default());
    member
        .work(stage, "s", &run(), &book, |delivery| match number(&delivery.event) {
            1 => Act::Fail,
            2 => Act::Die,
            _ => Act::Done,
        })
        .await?;
    stage.publish(&member, vec![keyed(1, "a"), keyed(2, "b"), keyed(3, "a"), keyed(4, "b")]).await?;
    stage.settled().await?;
    ensure_eq!(sorted(book.numbers()), [3, 4], "what was acknowledged");
    let letters = stage.letters().await?;
    ensure_eq!(letters.len(), 2, "dead letters");
    for (n, cause, attempts, error) in
        [(1, DeadCause::Attempts, 3, "run 3 failed"), (2, DeadCause::Permanent, 1, "beyond help")]
    {
        let letter = letters.iter().find(|letter| letter.entry.event().is_some_and(|event| number(event) == n));
        let Some(letter) = letter else {
            ensure!(false, "event {n} has no dead letter");
            return Ok(());
        };
        ensure_eq!(
            (letter.cause, letter.attempts, &*letter.error),
            (cause, attempts, error),
            "the dead letter of event {n}"
        );
        let entries = stage.entries().await?;
        let source = entries.iter().find(|entry| entry.event().is_some_and(|event| number(event) == n));
        ensure_eq!(source, Some(&letter.entry), "the source of event {n}, with its place in the log");
        let runs = book.of(n);
        let failed = letter.died_at.since(letter.first_failed_at);
        let took = runs[runs.len() - 1].started - runs[0].started;
        ensure_eq!(failed, took, "the time from the first to the last failure of event {n}");
    }
    let view = member.engine.subscription(&super::material::ALL, &super::material::name("s")).await?;
    ensure_eq!((view.dead, view.failed_total, view.delivered_total), (2, 4, 2), "dead, failed, delivered");
    Ok(())
}

pub(super) async fn a_panic_is_a_failure_and_takes_nothing_with_it(stage: &Stage) -> Outcome {
    let (member, book) = (stage.join().await?, Book::default());
    member
        .work(stage, "s", &run(), &book, |delivery| match (number(&delivery.event), delivery.attempt) {
            (1, _) | (2, 1) => Act::Panic,
            _ => Act::Done,
        })
        .await?;
    stage.publish(&member, (0..40).map(|n| keyed(n, &format!("k{n}"))).collect()).await?;
    stage.settled().await?;
    ensure_eq!(sorted(book.numbers()), (0..40).filter(|n| *n != 1).collect::<Vec<_>>(), "what was acknowledged");
    let letters = stage.letters().await?;
    ensure_eq!(letters.len(), 1, "dead letters");
    ensure!(letters[0].error.contains("panics on purpose"), "the dead letter says {:?}", letters[0].error);
    Ok(())
}

pub(super) async fn a_run_that_takes_too_long_is_given_up(stage: &Stage) -> Outcome {
    let (member, book) = (stage.join().await?, Book::default());
    let definition = Definition { ack_timeout_ms: 20_000, ..run() };
    member
        .work(stage, "s", &definition, &book, |delivery| match number(&delivery.event) {
            1 => Act::Hang,
            _ => Act::Done,
        })
        .await?;
    stage.publish(&member, vec![keyed(1, "k"), keyed(2, "k")]).await?;
    stage.settled().await?;
    let runs = book.of(1);
    ensure_eq!(runs.len(), 3, "runs");
    for run in runs {
        let took = run.ended.map(|(at, _)| at - run.started);
        ensure_eq!(took, Some(Duration::from_secs(20)), "how long run {} took", run.attempt);
    }
    ensure_eq!(book.numbers(), [2], "what was acknowledged");
    let letters = stage.letters().await?;
    ensure!(letters.iter().any(|letter| letter.error.contains("timed out")), "the dead letters say {letters:?}");
    Ok(())
}

pub(super) async fn a_run_that_asks_for_more_time_gets_it(stage: &Stage) -> Outcome {
    let (member, book) = (stage.join().await?, Book::default());
    let definition = Definition { ack_timeout_ms: 20_000, ..run() };
    let (by, long) = (Duration::from_secs(100), Duration::from_secs(110));
    member.work(stage, "s", &definition, &book, move |_| Act::Extend(by, long)).await?;
    stage.publish(&member, vec![keyed(1, "k")]).await?;
    stage.settled().await?;
    ensure_eq!((book.begun(), book.acked()), (1, 1), "runs begun and acknowledged");
    Ok(())
}
