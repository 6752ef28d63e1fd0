use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use busway_core::{
    Body, DeadCause, DeadLetterQuery, Definition, Entry, LaneId, Log, OnDead, OperationState, Payload, ReadPage,
    ReadRequest, Result, Seq, Tail, Undecodable,
    conformance::{
        Failed, Outcome,
        doubles::{LogTwist, Sound},
    },
};

use super::{
    acting::{Act, Book},
    material::{ALL, event, keyed, name, number, pull, refused, run, scaled, sorted},
    member::Member,
    stage::Stage,
};
use crate::Delivery;

/// Dies of what is bad until it is mended.
fn until_mended(
    mended: &Arc<AtomicBool>,
    bad: impl Fn(u64) -> bool + Send + Sync + 'static,
) -> impl Fn(&Delivery) -> Act + Send + Sync + 'static {
    let mended = Arc::clone(mended);
    move |delivery| if bad(number(&delivery.event)) && !mended.load(Ordering::Relaxed) { Act::Die } else { Act::Done }
}

/// The id of the dead letter of an event.
async fn letter_of(stage: &Stage, n: u64) -> Result<u64, Failed> {
    let letters = stage.letters().await?;
    let letter = letters.iter().find(|letter| letter.entry.event().is_some_and(|event| number(event) == n));
    letter.map(|letter| letter.id).ok_or_else(|| Failed::new(format!("event {n} has no dead letter")))
}

pub(super) async fn a_retried_dead_letter_runs_once_and_goes_when_acknowledged(stage: &Stage) -> Outcome {
    let (member, book, mended) = (stage.join().await?, Book::default(), Arc::new(AtomicBool::new(false)));
    let [sibling, script] = [Book::default(), Book::default()];
    member.work(stage, "s", &run(), &book, until_mended(&mended, |n| n == 1)).await?;
    member.work(stage, "sibling", &run(), &sibling, |_| Act::Done).await?;
    stage.publish(&member, vec![keyed(1, "k"), keyed(2, "k")]).await?;
    stage.settled().await?;
    let id = letter_of(stage, 1).await?;
    stage.drive(member.engine.retry_dead_letter(None, id)).await?;
    stage.settled().await?;
    ensure_eq!(letter_of(stage, 1).await?, id, "its id after it died again");
    mended.store(true, Ordering::Relaxed);
    stage.drive(member.engine.retry_dead_letter(None, id)).await?;
    stage.settled().await?;
    ensure_eq!(stage.letters().await?.len(), 0, "dead letters left");
    ensure_eq!(book.numbers(), [2, 1], "what was acknowledged");
    ensure_eq!(
        book.of(1).iter().map(|run| run.attempt).collect::<Vec<_>>(),
        [1, 1, 1],
        "attempts, from 1 for each retry"
    );
    ensure_eq!(sorted(sibling.numbers()), [1, 2], "what the sibling got");
    ensure_eq!(refused(member.engine.retry_dead_letter(None, id).await), "not_found", "a retry of what is gone");
    member.leave(stage).await?;
    let next = stage.join().await?;
    next.work(stage, "s", &run(), &script, |_| Act::Done).await?;
    stage.settled().await?;
    ensure_eq!(script.begun(), 0, "runs after a restart");
    Ok(())
}

pub(super) async fn an_edited_dead_letter_is_delivered_as_edited(stage: &Stage) -> Outcome {
    let (member, book, mended) = (stage.join().await?, Book::default(), Arc::new(AtomicBool::new(false)));
    member.work(stage, "s", &run(), &book, until_mended(&mended, |_| true)).await?;
    stage.publish(&member, vec![keyed(1, "k")]).await?;
    stage.settled().await?;
    let id = letter_of(stage, 1).await?;
    let edited = Payload::from_json("{\"n\":77}")?;
    let shown = stage.drive(member.engine.edit_dead_letter(None, id, edited.clone())).await?;
    ensure_eq!(shown.edited_payload, Some(edited), "the edit as it is shown");
    mended.store(true, Ordering::Relaxed);
    stage.drive(member.engine.retry_dead_letter(None, id)).await?;
    stage.settled().await?;
    ensure_eq!(book.numbers(), [77], "what was acknowledged");
    let kept = stage.entries().await?;
    ensure!(kept[0].event().is_some_and(|event| number(event) == 1), "the edit has changed the event itself");
    Ok(())
}

pub(super) async fn a_discarded_dead_letter_is_gone_and_runs_no_more(stage: &Stage) -> Outcome {
    let (member, book) = (stage.join().await?, Book::default());
    member.work(stage, "s", &run(), &book, |_| Act::Die).await?;
    stage.publish(&member, vec![event(1), event(2)]).await?;
    stage.settled().await?;
    let id = letter_of(stage, 1).await?;
    stage.drive(member.engine.discard_dead_letter(None, id)).await?;
    stage.settled().await?;
    ensure_eq!(stage.letters().await?.len(), 1, "dead letters left");
    ensure_eq!(book.begun(), 2, "runs");
    ensure_eq!(refused(member.engine.discard_dead_letter(None, id).await), "not_found", "discarding it twice");
    Ok(())
}

pub(super) async fn a_dead_letter_of_a_pull_subscription_is_retried_edited_and_discarded(stage: &Stage) -> Outcome {
    let member = stage.join().await?;
    stage.drive(member.engine.put(ALL, name("p"), pull().clone(), false)).await?;
    stage.publish(&member, vec![keyed(1, "a"), keyed(2, "b")]).await?;
    let kill = async || {
        let leased = member.pull(stage, "p", 10).await?;
        let dead =
            leased.iter().map(|leased| crate::SettleDead { id: leased.delivery_id.clone(), error: None }).collect();
        member.settle(stage, "p", crate::Settlements { dead, ..Default::default() }).await?;
        Ok::<_, Failed>(leased.len())
    };
    ensure_eq!(kill().await?, 2, "deliveries");
    let [one, two] = [letter_of(stage, 1).await?, letter_of(stage, 2).await?];
    stage.drive(member.engine.edit_dead_letter(None, one, Payload::from_json("{\"n\":77}")?)).await?;
    stage.drive(member.engine.retry_dead_letter(None, one)).await?;
    stage.drive(member.engine.discard_dead_letter(None, two)).await?;
    let leased = member.pull(stage, "p", 10).await?;
    let got: Vec<u64> = leased.iter().filter_map(|leased| leased.entry.event().map(|event| number(event))).collect();
    ensure_eq!(got, [77], "what is pulled of the retried and the discarded");
    ensure_eq!(leased[0].attempt, 1, "its attempt");
    ensure_eq!(member.ack(stage, "p", &leased).await?, [true], "its settlement");
    ensure_eq!(stage.letters().await?.len(), 0, "dead letters left");
    stage.settled().await
}

pub(super) async fn after_a_dead_letter_a_key_goes_on(stage: &Stage) -> Outcome {
    let (member, book) = (stage.join().await?, Book::default());
    member
        .work(stage, "s", &run(), &book, |delivery| if number(&delivery.event) == 2 { Act::Fail } else { Act::Done })
        .await?;
    stage.publish(&member, (1..=5).map(|n| keyed(n, "k")).collect()).await?;
    stage.settled().await?;
    ensure_eq!(book.numbers(), [1, 3, 4, 5], "what was acknowledged");
    stage.judged(&[stage.bounds("s", 3, true)]).await.map(|_| ())
}

/// Two keys under `block`, one of them blocked; their member and book.
async fn blocked(stage: &Stage, mended: &Arc<AtomicBool>) -> Result<(Member, Book, u64), Failed> {
    let (member, book) = (stage.join().await?, Book::default());
    let definition = Definition { on_dead: OnDead::Block, ..run() };
    member.work(stage, "s", &definition, &book, until_mended(mended, |n| n == 2)).await?;
    let events = (1..=5).map(|n| keyed(n, "k")).chain((11..=15).map(|n| keyed(n, "other")));
    stage.publish(&member, events.collect()).await?;
    stage.pass(Duration::from_secs(120)).await;
    ensure_eq!(sorted(book.numbers()), [1, 11, 12, 13, 14, 15], "what was acknowledged while the key is blocked");
    stage.publish(&member, vec![keyed(6, "k"), keyed(16, "other")]).await?;
    stage.pass(Duration::from_secs(5)).await;
    ensure!(!book.numbers().contains(&6) && book.numbers().contains(&16), "acknowledged then: {:?}", book.numbers());
    let id = letter_of(stage, 2).await?;
    Ok((member, book, id))
}

pub(super) async fn a_blocked_key_waits_and_goes_on_once_its_dead_letter_is_acknowledged(stage: &Stage) -> Outcome {
    let mended = Arc::new(AtomicBool::new(false));
    let (member, book, id) = blocked(stage, &mended).await?;
    stage.drive(member.engine.retry_dead_letter(None, id)).await?;
    stage.pass(Duration::from_secs(5)).await;
    ensure!(!book.numbers().contains(&3), "the key went on although its dead letter died again");
    mended.store(true, Ordering::Relaxed);
    stage.drive(member.engine.retry_dead_letter(None, id)).await?;
    stage.settled().await?;
    let of_the_key: Vec<u64> = book.numbers().into_iter().filter(|n| *n < 10).collect();
    ensure_eq!(of_the_key, [1, 2, 3, 4, 5, 6], "what was acknowledged of the key");
    ensure_eq!(stage.letters().await?.len(), 0, "dead letters left");
    Ok(())
}

pub(super) async fn a_blocked_key_goes_on_once_its_dead_letter_is_discarded(stage: &Stage) -> Outcome {
    let mended = Arc::new(AtomicBool::new(false));
    let (member, book, id) = blocked(stage, &mended).await?;
    member.leave(stage).await?;
    let next = stage.join().await?;
    let definition = Definition { on_dead: OnDead::Block, ..run() };
    next.work(stage, "s", &definition, &book, until_mended(&mended, |n| n == 2)).await?;
    stage.pass(Duration::from_secs(5)).await;
    ensure!(!book.numbers().contains(&3), "the key went on with another member");
    stage.drive(next.engine.discard_dead_letter(None, id)).await?;
    stage.settled().await?;
    let of_the_key: Vec<u64> = book.numbers().into_iter().filter(|n| *n < 10).collect();
    ensure_eq!(of_the_key, [1, 3, 4, 5, 6], "what was acknowledged of the key");
    Ok(())
}

pub(super) async fn many_dead_letters_are_retried_also_when_their_member_is_gone(stage: &Stage) -> Outcome {
    let many = scaled(1_000, 10_000);
    let (book, mended) = (Book::default(), Arc::new(AtomicBool::new(false)));
    let first = stage.join().await?;
    first.work(stage, "s", &run(), &book, until_mended(&mended, |_| true)).await?;
    stage.publish(&first, (0..many).map(|n| keyed(n, &format!("k{}", n % 100))).collect()).await?;
    stage.until("everything is dead", async || Ok(stage.letters().await?.len() as u64 == many)).await?;
    mended.store(true, Ordering::Relaxed);
    let query = DeadLetterQuery { name: Some(name("s")), ..DeadLetterQuery::default() };
    let operation = stage.drive(first.engine.retry_dead_letters(query)).await?;
    first.kill();
    let second = stage.join().await?;
    second.work(stage, "s", &run(), &book, |_| Act::Done).await?;
    stage.until("every dead letter is acknowledged", async || Ok(stage.letters().await?.is_empty())).await?;
    stage
        .until("the operation is done", async || {
            Ok(second.engine.operation(None, operation).await?.state == OperationState::Done)
        })
        .await?;
    let shown = second.engine.operation(None, operation).await?;
    ensure_eq!((shown.done, shown.total), (many, many), "done and total of the operation");
    let mut numbers = sorted(book.numbers());
    numbers.dedup();
    ensure_eq!(numbers.len() as u64, many, "events acknowledged");
    Ok(())
}

pub(super) async fn many_dead_letters_are_discarded(stage: &Stage) -> Outcome {
    let (member, book) = (stage.join().await?, Book::default());
    member.work(stage, "s", &run(), &book, |_| Act::Die).await?;
    stage.publish(&member, (0..450).map(event).collect()).await?;
    stage.until("everything is dead", async || Ok(stage.letters().await?.len() == 450)).await?;
    let query = DeadLetterQuery { name: Some(name("s")), ..DeadLetterQuery::default() };
    let operation = stage.drive(member.engine.discard_dead_letters(query)).await?;
    stage.until("every dead letter is gone", async || Ok(stage.letters().await?.is_empty())).await?;
    stage
        .until("the operation is done", async || {
            Ok(member.engine.operation(None, operation).await?.state == OperationState::Done)
        })
        .await?;
    ensure_eq!(book.begun(), 450, "runs");
    Ok(())
}

pub(super) async fn a_dead_letter_whose_subscription_is_gone_holds_up_no_other(stage: &Stage) -> Outcome {
    let (member, book) = (stage.join().await?, Book::default());
    let mended = Arc::new(AtomicBool::new(false));
    for of in ["gone", "s"] {
        member.work(stage, of, &run(), &book, until_mended(&mended, |_| true)).await?;
    }
    stage.publish(&member, vec![event(1)]).await?;
    stage.until("both are dead", async || Ok(stage.letters().await?.len() == 2)).await?;
    stage.drive(member.engine.remove(&ALL, &name("gone"), true)).await?;
    mended.store(true, Ordering::Relaxed);
    let mut operations = Vec::new();
    for of in ["gone", "s"] {
        let query = DeadLetterQuery { name: Some(name(of)), ..DeadLetterQuery::default() };
        operations.push(stage.drive(member.engine.retry_dead_letters(query)).await?);
    }
    for operation in operations {
        stage
            .until("the operation is done", async || {
                Ok(member.engine.operation(None, operation).await?.state == OperationState::Done)
            })
            .await?;
    }
    stage.until("the other is acknowledged", async || Ok(stage.letters().await?.len() == 1)).await?;
    let left = stage.letters().await?.remove(0);
    ensure_eq!(left.name, name("gone"), "whose dead letter is left");
    Ok(())
}

/// Shows this event as one that cannot be decoded.
struct Garbles(Vec<u64>);

impl Garbles {
    fn garbled(&self, entry: Arc<Entry>) -> Arc<Entry> {
        match entry.event() {
            Some(event) if self.0.contains(&number(event)) => {
                let raw = event.payload.as_str().as_bytes().into();
                let body = Body::Undecodable(Undecodable { raw, error: "it is no event".into() });
                Arc::new(Entry { body, ..Entry::clone(&entry) })
            }
            _ => entry,
        }
    }

    fn garbled_page(&self, page: ReadPage) -> ReadPage {
        ReadPage { entries: page.entries.into_iter().map(|entry| self.garbled(entry)).collect(), ..page }
    }
}

#[async_trait]
impl LogTwist for Garbles {
    async fn read(&self, sound: Sound<'_, dyn Log>, request: ReadRequest) -> Result<ReadPage> {
        Ok(self.garbled_page(sound.read(request).await?))
    }

    async fn tail(&self, sound: Sound<'_, dyn Log>, places: &[(LaneId, Seq)], max: usize) -> Result<Tail> {
        let tail = sound.tail(places, max).await?;
        Ok(Tail { pages: tail.pages.into_iter().map(|page| self.garbled_page(page)).collect(), ..tail })
    }

    async fn fetch(&self, sound: Sound<'_, dyn Log>, lane: LaneId, seqs: &[Seq]) -> Result<Vec<Arc<Entry>>> {
        let entries = sound.fetch(lane, seqs).await?;
        Ok(entries.into_iter().map(|entry| self.garbled(entry)).collect())
    }
}

pub(super) async fn an_entry_that_cannot_be_decoded_is_dead_lettered_once_and_the_stream_goes_on(
    stage: &Stage,
) -> Outcome {
    stage.twist(Garbles(vec![3, 5]));
    let book = Book::default();
    let member = stage.join().await?;
    member.work(stage, "s", &run(), &book, |_| Act::Done).await?;
    stage.drive(member.engine.put(ALL, name("p"), pull(), false)).await?;
    stage.publish(&member, (0..10).map(|n| keyed(n, "k")).collect()).await?;
    let mut pulled = Vec::new();
    for _ in 0..4 {
        let leased = member.pull(stage, "p", 100).await?;
        ensure!(
            member.ack(stage, "p", &leased).await?.into_iter().all(|settled| settled),
            "an acknowledgement did not count"
        );
        pulled.extend(leased.iter().filter_map(|leased| leased.entry.event().map(|event| number(event))));
    }
    stage.settled().await?;
    member.leave(stage).await?;
    let next = stage.join().await?;
    next.work(stage, "s", &run(), &book, |_| Act::Done).await?;
    stage.publish(&next, (10..20).map(|n| keyed(n, "k")).collect()).await?;
    stage.until("the stream goes on", async || Ok(book.acked() == 18)).await?;
    let wanted: Vec<u64> = (0..10).filter(|n| ![3, 5].contains(n)).collect();
    ensure_eq!(sorted(pulled), wanted, "what was pulled");
    let letters = stage.letters().await?;
    ensure_eq!(letters.len(), 4, "dead letters of both subscriptions");
    for letter in letters {
        ensure_eq!(letter.cause, DeadCause::Undecodable, "the cause");
        ensure!(
            matches!(&letter.entry.body, Body::Undecodable(kept) if !kept.raw.is_empty()),
            "the bytes are not kept"
        );
    }
    Ok(())
}
