use std::{sync::Arc, time::Duration};

use crate::{
    Entry, Event, Filter, LaneId, Log, LogExt, Timestamp,
    conformance::{
        Failed, Outcome,
        probe::{Probe, at_once},
    },
};

const LANE: LaneId = LaneId(0);
const HOUR_MS: i64 = 3_600_000;

/// Fills a lane with entries of at least three different times.
pub(super) async fn lane_over_some_time(probe: &Probe) -> Result<Vec<Arc<Entry>>, Failed> {
    for _ in 0..10_000 {
        probe.log().append(&probe.events_in(LANE, 3)).await?;
        if let Some(clock) = probe.backend().clock() {
            clock.advance(Duration::from_millis(10));
        }
        let entries = probe.read_all(LANE, &Filter::default()).await?;
        if entries.chunk_by(|a, b| a.stored_at == b.stored_at).count() > 3 {
            return Ok(entries);
        }
        tokio::task::yield_now().await;
    }
    Err(Failed::new("the store's time stood still over 10,000 appends"))
}

pub(in crate::conformance) async fn stored_at_never_falls_within_a_lane(probe: &Probe) -> Outcome {
    let clock = probe.backend().clock();
    for jump_ms in [0, HOUR_MS, -HOUR_MS, -HOUR_MS, 0] {
        if let Some(clock) = &clock {
            clock.jump(jump_ms);
        }
        let logs = [probe.stores().log, probe.again().await?.stores().log];
        let writers = (0..8).map(|n| write(logs[n % 2].clone(), probe.events(16)));
        at_once(writers).await?;
    }
    for lane in probe.lanes() {
        let entries = probe.read_all(lane, &Filter::default()).await?;
        ensure!(entries.is_sorted_by_key(|entry| entry.stored_at), "stored_at falls within lane {lane}");
    }
    Ok(())
}

async fn write(log: Arc<dyn Log>, events: Vec<Arc<Event>>) -> Outcome {
    for batch in events.chunks(4) {
        log.append(batch).await?;
    }
    Ok(())
}

pub(in crate::conformance) async fn stored_at_is_the_time_of_the_append(probe: &Probe) -> Outcome {
    let now =
        || probe.backend().clock().map_or_else(|| crate::Seam::system().now(), |clock| crate::Clock::now(&*clock));
    let event = Event { time: Timestamp::from_millis(0), ..probe.event() };
    let (before, told, after) = (now(), probe.append(event).await?, now());
    let slack = Duration::from_secs(60);
    let near = before - slack <= told.stored_at && told.stored_at <= after + slack;
    ensure!(near, "an append between {before} and {after} was stored at {}", told.stored_at);
    Ok(())
}

pub(in crate::conformance) async fn a_time_leads_to_the_first_event_stored_at_it_or_later(probe: &Probe) -> Outcome {
    let entries = lane_over_some_time(probe).await?;
    let times = entries.iter().map(|entry| entry.stored_at);
    let around = times.flat_map(|time| [-1, 0, 1].map(|off| Timestamp::from_millis(time.as_millis() + off)));
    for time in around.chain([Timestamp::MIN, Timestamp::MAX]) {
        let expected = entries.iter().rev().find(|entry| entry.stored_at < time).map_or(0, |entry| entry.seq);
        ensure_eq!(probe.log().seq_before(LANE, time).await?, expected, "the last seq before {time}");
    }
    Ok(())
}
