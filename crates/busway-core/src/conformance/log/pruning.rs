use std::sync::Arc;

use uuid::Uuid;

use crate::{
    Direction, Entry, Filter, LaneId, ReadRequest, Seq, Timestamp,
    conformance::{
        Failed, Outcome,
        log::time::lane_over_some_time,
        probe::{Probe, ids, seqs},
    },
};

const LANE: LaneId = LaneId(0);

/// Fills a lane, removes what the first `count` events are, and gives all seqs of the lane.
async fn pruned(probe: &Probe, all: usize, count: usize) -> Result<Vec<Seq>, Failed> {
    let told = probe.log().append(&probe.events_in(LANE, all)).await?;
    let removed = probe.log().prune(LANE, told[count - 1].seq, Timestamp::MAX).await?;
    ensure_eq!(removed, count as u64, "how many entries prune says it removed");
    Ok(told.iter().map(|told| told.seq).collect())
}

async fn all(probe: &Probe) -> Result<Vec<Arc<Entry>>, Failed> {
    probe.read_all(LANE, &Filter::default()).await
}

pub(in crate::conformance) async fn what_is_pruned_is_gone_and_nothing_else(probe: &Probe) -> Outcome {
    let others = probe.events(30);
    probe.log().append(&others).await?;
    let before = probe.everything().await?;
    let cut = before.iter().filter(|entry| entry.lane == LANE).nth(2).map_or(0, |entry| entry.seq);
    probe.log().prune(LANE, cut, Timestamp::MAX).await?;
    let (gone, kept): (Vec<_>, Vec<_>) = before.into_iter().partition(|entry| entry.lane == LANE && entry.seq <= cut);
    ensure_eq!(probe.everything().await?, kept, "what is kept");
    let found = probe.log().find(None, Uuid::nil(), Uuid::max(), 100).await?;
    ensure_eq!(found.len(), kept.len(), "entries that find gives");
    ensure!(probe.log().fetch(LANE, &seqs(&gone)).await?.is_empty(), "fetch gives pruned entries");
    let removed = probe.log().prune(LANE, cut, Timestamp::MAX).await?;
    ensure_eq!(removed, 0, "entries removed by the same prune again");
    Ok(())
}

pub(in crate::conformance) async fn reading_past_retention_starts_at_what_is_kept_and_heads_tell(
    probe: &Probe,
) -> Outcome {
    let seqs_before = pruned(probe, 20, 12).await?;
    let (gone, kept) = seqs_before.split_at(12);
    ensure_eq!(seqs(&all(probe).await?), kept, "seqs read from the start");
    let request = ReadRequest { direction: Direction::Backward, ..ReadRequest::after(LANE, Seq::MAX, 100) };
    let page = probe.log().read(request).await?;
    ensure_eq!(seqs(&page.entries), kept.iter().rev().copied().collect::<Vec<_>>(), "seqs read backward");
    ensure_eq!(page.looked, 0, "how far a backward read looked that met the pruned part");
    let heads = probe.log().heads().await?;
    ensure!((gone[11]..kept[0]).contains(&heads.pruned[0]), "{} is told as pruned up to {}", heads.pruned[0], gone[11]);
    ensure_eq!(heads.seqs[0], kept[7], "the head after a prune");
    Ok(())
}

pub(in crate::conformance) async fn a_lane_pruned_empty_keeps_its_head(probe: &Probe) -> Outcome {
    let before = pruned(probe, 10, 10).await?;
    let heads = probe.again().await?.log().heads().await?;
    ensure_eq!((heads.seqs[0], heads.pruned[0]), (before[9], before[9]), "(head, pruned) of a lane pruned empty");
    let event = probe.event_in(LANE);
    let told = probe.append(event.clone()).await?;
    ensure!(told.seq > before[9], "seq {} was given after {}", told.seq, before[9]);
    let page = probe.log().read(ReadRequest::after(LANE, before[9], 10)).await?;
    ensure_eq!(ids(&page.entries), [event.id], "what is read on after the lane was pruned empty");
    Ok(())
}

pub(in crate::conformance) async fn prune_keeps_what_was_stored_at_its_time_or_later(probe: &Probe) -> Outcome {
    let entries = lane_over_some_time(probe).await?;
    let middle = entries[entries.len() / 2].stored_at;
    let removed = probe.log().prune(LANE, Seq::MAX >> 1, middle).await?;
    let (gone, kept): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| entry.stored_at < middle);
    ensure!(!gone.is_empty() && !kept.is_empty(), "the check made no events of different times");
    ensure_eq!(removed, gone.len() as u64, "entries removed that were stored before a time");
    ensure_eq!(seqs(&all(probe).await?), seqs(&kept), "seqs kept");
    ensure_eq!(probe.log().prune(LANE, Seq::MAX >> 1, Timestamp::MIN).await?, 0, "entries stored before year 0");
    Ok(())
}
