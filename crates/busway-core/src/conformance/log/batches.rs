use std::{
    collections::HashMap,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::{
    Dedupe, Entry, Event, Filter, LaneId, Log, Metadata, Payload,
    conformance::{
        Failed, Outcome,
        probe::{Probe, ids, read_all},
    },
};

pub(in crate::conformance) async fn a_batch_keeps_its_order_within_each_lane(probe: &Probe) -> Outcome {
    let mut events = probe.events(200);
    // Ids fall while the batch goes on, so that a store that sorts by id shows.
    events.reverse();
    let told = probe.log().append(&events).await?;
    for lane in probe.lanes() {
        let placed: Vec<_> = events.iter().zip(&told).filter(|(_, told)| told.lane == lane).collect();
        ensure!(placed.is_sorted_by_key(|(_, told)| told.seq), "seqs do not follow the batch in lane {lane}");
        let stored = probe.read_all(lane, &Filter::default()).await?;
        ensure_eq!(ids(&stored), placed.iter().map(|(event, _)| event.id).collect::<Vec<_>>(), "order in lane {lane}");
    }
    Ok(())
}

pub(in crate::conformance) async fn a_batch_of_the_largest_size_is_stored_whole(probe: &Probe) -> Outcome {
    let payload = Payload::from_json(format!(r#"{{"a":"{}"}}"#, "x".repeat(8_000)))?;
    let large = |event: Arc<Event>| Arc::new(Event { payload: payload.clone(), ..Event::clone(&event) });
    let events: Vec<_> = probe.events(1_000).into_iter().map(large).collect();
    let told = probe.log().append(&events).await?;
    ensure_eq!(told.len(), 1_000, "answers");
    let mut stored = ids(&probe.everything().await?);
    stored.sort_unstable();
    ensure_eq!(stored, events.iter().map(|event| event.id).collect::<Vec<_>>(), "what is stored");
    Ok(())
}

/// Events of one batch that readers watch for.
const WATCHED: usize = 12;

/// A batch that says of each event which batch it is.
fn batch(probe: &Probe, lanes: &[LaneId], number: usize) -> Vec<Arc<Event>> {
    let metadata = Metadata::default().with("batch", &number.to_string());
    let events = lanes.iter().cycle().take(WATCHED).map(|lane| probe.event_in(*lane));
    events.map(|event| Arc::new(Event { metadata: metadata.clone(), ..event })).collect()
}

/// The lanes that one batch fills at once.
fn lanes_of_a_batch(probe: &Probe) -> Vec<LaneId> {
    let together = if probe.capabilities().atomic_batch { 3 } else { 1 };
    probe.lanes().take(together).collect()
}

pub(in crate::conformance) async fn readers_see_a_batch_whole_or_not_at_all(probe: &Probe) -> Outcome {
    let lanes = lanes_of_a_batch(probe);
    let batches: Vec<_> = (0..30).map(|number| batch(probe, &lanes, number)).collect();
    let written = Arc::new(AtomicBool::new(false));
    let reader = tokio::spawn(watch(probe.again().await?.stores().log, lanes, written.clone()));
    for batch in &batches {
        probe.log().append(batch).await?;
        tokio::task::yield_now().await;
    }
    written.store(true, Ordering::Release);
    reader.await?
}

/// Reads the lanes over and over, and fails if a batch that shows in one lane lacks events there or in the next
/// lane, which is read later.
async fn watch(log: Arc<dyn Log>, lanes: Vec<LaneId>, written: Arc<AtomicBool>) -> Outcome {
    loop {
        let last = written.load(Ordering::Acquire);
        let mut before: HashMap<String, usize> = HashMap::new();
        for lane in lanes.iter().chain(&lanes) {
            let seen = counts(&read_all(&*log, *lane, &Filter::default()).await?);
            let each = WATCHED / lanes.len();
            let part = seen.iter().find(|(_, count)| **count != each);
            ensure!(part.is_none(), "a reader of lane {lane} saw a part of a batch: (batch, events) {part:?}");
            let missing = before.keys().find(|batch| !seen.contains_key(*batch));
            ensure!(missing.is_none(), "lane {lane} lacks batch {missing:?}, which showed in another lane before");
            before = seen;
        }
        if last {
            return Ok(());
        }
        tokio::task::yield_now().await;
    }
}

/// How many events of each batch there are.
fn counts(entries: &[Arc<Entry>]) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for event in entries.iter().filter_map(|entry| entry.event()) {
        *counts.entry(event.metadata.get("batch").unwrap_or_default()).or_default() += 1;
    }
    counts
}

pub(in crate::conformance) async fn a_batch_given_up_on_is_stored_whole_or_not_at_all(probe: &Probe) -> Outcome {
    let lanes = lanes_of_a_batch(probe);
    for number in 0..10 {
        let batch = batch(probe, &lanes, number);
        let begun = begin(probe.log(), &batch, number).await;
        let mut stored = stored_of(probe, number).await?;
        loop {
            // The store may have gone on with it while the lanes were read one after the other.
            let again = stored_of(probe, number).await?;
            if again == stored {
                break;
            }
            stored = again;
        }
        ensure!(stored == 0 || stored == WATCHED, "{stored} of {WATCHED} events of an abandoned batch are stored");
        begun?;
        if probe.capabilities().dedupe != Dedupe::None {
            probe.log().append(&batch).await?;
            ensure_eq!(stored_of(probe, number).await?, WATCHED, "events of a batch that was given up on and repeated");
        }
    }
    Ok(())
}

async fn stored_of(probe: &Probe, batch: usize) -> Result<usize, Failed> {
    Ok(counts(&probe.everything().await?).get(&batch.to_string()).copied().unwrap_or(0))
}

/// Begins an append and drops it after some steps.
async fn begin(log: &dyn Log, batch: &[Arc<Event>], steps: usize) -> Result<(), Failed> {
    let mut append = pin!(log.append(batch));
    for _ in 0..=steps {
        if let std::task::Poll::Ready(told) = futures::poll!(append.as_mut()) {
            told?;
            break;
        }
        tokio::task::yield_now().await;
    }
    Ok(())
}
