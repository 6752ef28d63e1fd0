use std::time::Duration;

use busway_core::{Start, conformance::Outcome};

use super::{
    acting::{Act, Book},
    material::{With, event, keyed, run, sorted, typed},
    stage::Stage,
};

const TYPES: [&str; 8] = [
    "shift",
    "shift.created",
    "shift.signup.created",
    "shift.signup.closed",
    "video.viewed",
    "video.liked",
    "a.b.c",
    "a.x.c",
];

pub(super) async fn patterns_choose_what_is_delivered(stage: &Stage) -> Outcome {
    let matrix: [(&[&str], &[u64]); 8] = [
        (&["*"], &[0, 1, 2, 3, 4, 5, 6, 7]),
        (&["shift.*"], &[1, 2, 3]),
        (&["shift"], &[0]),
        (&["shift.created", "a.*.c"], &[1, 6, 7]),
        (&["*", "!video.viewed"], &[0, 1, 2, 3, 5, 6, 7]),
        (&["shift.*", "!shift.signup.*"], &[1]),
        (&["*.created"], &[1]),
        (&["*", "!*"], &[]),
    ];
    let member = stage.join().await?;
    let books: Vec<Book> = matrix.iter().map(|_| Book::default()).collect();
    for (index, ((patterns, _), book)) in matrix.iter().zip(&books).enumerate() {
        member.work(stage, &format!("s{index}"), &run().with(patterns), book, |_| Act::Done).await?;
    }
    stage.publish(&member, (0..).zip(TYPES).map(|(n, of)| typed(n, of)).collect()).await?;
    stage.settled().await?;
    for ((patterns, expected), book) in matrix.iter().zip(&books) {
        ensure_eq!(sorted(book.numbers()), *expected, "what {patterns:?} got");
    }
    Ok(())
}

pub(super) async fn a_type_first_seen_later_is_delivered(stage: &Stage) -> Outcome {
    let (member, book) = (stage.join().await?, Book::default());
    member.work(stage, "late", &run().with(&["late.*", "!late.not"]), &book, |_| Act::Done).await?;
    stage.publish(&member, vec![typed(1, "early")]).await?;
    stage.settled().await?;
    stage.publish(&member, vec![typed(2, "late.first"), typed(3, "late.not"), typed(4, "late.second.third")]).await?;
    stage.settled().await?;
    ensure_eq!(sorted(book.numbers()), [2, 4], "what was delivered");
    Ok(())
}

pub(super) async fn a_subscription_made_before_its_first_event_misses_none(stage: &Stage) -> Outcome {
    let (member, book) = (stage.join().await?, Book::default());
    for start in [Start::Earliest, Start::Latest] {
        let subscription = if start == Start::Latest { "latest" } else { "earliest" };
        member.work(stage, subscription, &run().from(start), &book, |_| Act::Done).await?;
    }
    stage.publish(&member, (0..20).map(|n| keyed(n, &n.to_string())).collect()).await?;
    stage.settled().await?;
    ensure_eq!(book.numbers().len(), 40, "deliveries");
    Ok(())
}

pub(super) async fn a_subscription_starts_at_the_earliest_the_latest_or_a_time(stage: &Stage) -> Outcome {
    let member = stage.join().await?;
    let mut times = Vec::new();
    for n in 0..30 {
        let told = stage.drive(member.engine.publish(vec![keyed(n, &n.to_string())])).await?;
        times.push(told[0].stored_at);
        stage.pass(Duration::from_millis(10)).await;
    }
    let starts = [
        (Start::Earliest, 0),
        (Start::Latest, 30),
        (Start::Time(times[12]), times.partition_point(|t| *t < times[12])),
    ];
    for (index, (start, from)) in starts.into_iter().enumerate() {
        let book = Book::default();
        member.work(stage, &format!("s{index}"), &run().from(start), &book, |_| Act::Done).await?;
        stage.publish(&member, vec![event(100 + index as u64)]).await?;
        stage.settled().await?;
        let old = sorted(book.numbers().into_iter().filter(|n| *n < 100).collect());
        ensure_eq!(old, (from as u64..30).collect::<Vec<_>>(), "what {start:?} got of the past");
        ensure!(book.numbers().contains(&(100 + index as u64)), "{start:?} did not get what came after");
    }
    Ok(())
}
