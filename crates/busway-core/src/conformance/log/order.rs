use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::{
    Entry, Event, LaneId, Log, ReadRequest,
    conformance::{
        Failed, Outcome,
        probe::{Probe, appended_by, at_once, ids, seqs},
    },
};

pub(in crate::conformance) async fn events_stand_in_the_order_of_their_appends(probe: &Probe) -> Outcome {
    let handles = [probe.stores().log, probe.again().await?.stores().log];
    for lane in probe.lanes() {
        let events = probe.events_in(lane, 40);
        let mut before = 0;
        for (event, log) in events.iter().zip(handles.iter().cycle()) {
            let told = appended_by(&**log, event.clone()).await?;
            ensure_eq!(told.lane, lane, "lane of an event");
            ensure!(told.seq > before, "seq {} was given after {before}", told.seq);
            before = told.seq;
        }
        let stored = probe.read_all(lane, &Default::default()).await?;
        ensure_eq!(ids(&stored), events.iter().map(|event| event.id).collect::<Vec<_>>(), "order in lane {lane}");
    }
    Ok(())
}

const WRITERS: usize = 8;
const BATCHES: usize = 25;

pub(in crate::conformance) async fn no_reader_skips_a_late_commit(probe: &Probe) -> Outcome {
    let lane = LaneId(0);
    let handles = [probe.stores().log, probe.again().await?.stores().log];
    let written = Arc::new(AtomicBool::new(false));
    let readers = handles.clone().map(|log| tokio::spawn(follow(log, lane, written.clone())));
    let events: Vec<_> = (0..WRITERS).map(|_| probe.events_in(lane, BATCHES * 3)).collect();
    let writers = events.iter().zip(handles.iter().cycle());
    let done = at_once(writers.map(|(events, log)| write(log.clone(), events.clone()))).await;
    written.store(true, Ordering::Release);
    let mut expected: Vec<_> = events.iter().flatten().map(|event| event.id).collect();
    expected.sort_unstable();
    for reader in readers {
        let followed = reader.await??;
        ensure!(seqs(&followed).is_sorted_by(|a, b| a < b), "a reader that follows the lane met falling seqs");
        let mut found = ids(&followed);
        found.sort_unstable();
        ensure_eq!(found.len(), expected.len(), "events that a reader met who followed the lane");
        ensure!(found == expected, "a reader who followed the lane met other events than were written");
    }
    done.map(|_| ())
}

/// Appends the events in batches of one to five.
async fn write(log: Arc<dyn Log>, events: Vec<Arc<Event>>) -> Outcome {
    let mut rest = events.as_slice();
    for size in (1..=5).cycle() {
        if rest.is_empty() {
            break;
        }
        let (batch, after) = rest.split_at(size.min(rest.len()));
        log.append(batch).await?;
        tokio::task::yield_now().await;
        rest = after;
    }
    Ok(())
}

/// Reads on from where it looked until everything is written and nothing more comes.
async fn follow(log: Arc<dyn Log>, lane: LaneId, written: Arc<AtomicBool>) -> Result<Vec<Arc<Entry>>, Failed> {
    let (mut after, mut met) = (0, Vec::new());
    loop {
        let last = written.load(Ordering::Acquire);
        let page = log.read(ReadRequest::after(lane, after, 7)).await?;
        if last && page.entries.is_empty() && page.looked == after {
            return Ok(met);
        }
        after = page.looked;
        met.extend(page.entries);
        tokio::task::yield_now().await;
    }
}
