use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    sync::Arc,
};

use uuid::Uuid;

use super::ids::Ids;
use crate::{
    Appended, Body, Direction, Entry, Error, ErrorKind, Event, LaneId, ReadPage, ReadRequest, Result, Seq, Timestamp,
    lane_of,
};

/// Entries looked at in one stride, so that a long read does not hold up those who append.
const STRIDE: usize = 4_096;

/// Every lane, and every id that is kept.
#[derive(Debug)]
pub(super) struct Lanes {
    lanes: Vec<Lane>,
    ids: Ids,
}

/// One lane. Its seqs are dense, so an entry's place follows from its seq.
#[derive(Debug)]
pub(super) struct Lane {
    /// The seq of the first entry kept, or of the next one if none is.
    first: Seq,
    entries: VecDeque<Arc<Entry>>,
    /// When the newest entry was stored; the next one is stored no earlier, wherever the clock jumps.
    newest: Timestamp,
}

impl Lanes {
    pub(super) fn new(lanes: u16, seed: u64) -> Self {
        let lane = || Lane { first: 1, entries: VecDeque::new(), newest: Timestamp::MIN };
        Self { lanes: (0..lanes).map(|_| lane()).collect(), ids: Ids::new(seed) }
    }

    pub(super) fn all(&self) -> &[Lane] {
        &self.lanes
    }

    pub(super) fn lane(&self, id: LaneId) -> Result<&Lane> {
        self.lanes.get(usize::from(id.0)).ok_or_else(|| no_lane(id, self.lanes.len()))
    }

    /// Entries with this id, of every tenant.
    pub(super) fn with_id(&self, id: Uuid) -> &[Arc<Entry>] {
        self.ids.all(id)
    }

    /// Entries kept.
    pub(super) fn count(&self) -> usize {
        self.lanes.iter().map(|lane| lane.entries.len()).sum()
    }

    /// How many of the batch are not stored yet.
    pub(super) fn fresh(&self, batch: &[Arc<Event>]) -> usize {
        let fresh = batch.iter().filter(|event| self.ids.first(event).is_none());
        fresh.map(|event| (event.id, &event.tenant)).collect::<HashSet<_>>().len()
    }

    pub(super) fn append(&mut self, event: &Arc<Event>, now: Timestamp) -> Appended {
        let id = lane_of(&event.tenant, event.key.as_ref(), &event.event_type, self.lanes.len() as u16);
        let lane = &mut self.lanes[usize::from(id.0)];
        let (seq, stored_at) = (lane.head() + 1, lane.newest.max(now));
        let entry = || Arc::new(Entry { lane: id, seq, stored_at, body: Body::Event(event.clone()) });
        match self.ids.add(event, entry) {
            Ok(entry) => {
                lane.newest = stored_at;
                lane.entries.push_back(entry);
                Appended { lane: id, seq, stored_at, duplicate: false }
            }
            Err(first) => Appended { lane: first.lane, seq: first.seq, stored_at: first.stored_at, duplicate: true },
        }
    }

    pub(super) fn prune(&mut self, id: LaneId, upto: Seq, before: Timestamp) -> Result<u64> {
        let lanes = self.lanes.len();
        let lane = self.lanes.get_mut(usize::from(id.0)).ok_or_else(|| no_lane(id, lanes))?;
        let mut removed = 0;
        while let Some(first) = lane.entries.pop_front_if(|first| first.seq <= upto && first.stored_at < before) {
            lane.first += 1;
            removed += 1;
            if let Some(event) = first.event() {
                self.ids.remove(event);
            }
        }
        Ok(removed)
    }
}

impl Lane {
    /// The highest seq ever given.
    pub(super) fn head(&self) -> Seq {
        self.first + self.entries.len() as Seq - 1
    }

    /// Everything up to here is gone.
    pub(super) fn pruned(&self) -> Seq {
        self.first - 1
    }

    pub(super) fn at(&self, seq: Seq) -> Option<&Arc<Entry>> {
        self.entries.get(usize::try_from(seq.checked_sub(self.first)?).ok()?)
    }

    /// Where the first entry above a seq stands.
    fn index_after(&self, seq: Seq) -> usize {
        let index = seq.saturating_add(1).saturating_sub(self.first);
        usize::try_from(index).map_or(self.entries.len(), |index| index.min(self.entries.len()))
    }

    /// Goes one stride on from `read.page.looked`; true once the read has come to its end.
    pub(super) fn read_on(&self, request: &ReadRequest, read: &mut Read) -> bool {
        match request.direction {
            Direction::Forward => {
                let end = self.index_after(request.until);
                let start = self.index_after(read.page.looked).min(end);
                let stop = end.min(start + STRIDE);
                if read.collect(request, self.entries.range(start..stop)) {
                    return true;
                }
                let looked = if stop < end { self.pruned() + stop as Seq } else { self.head().min(request.until) };
                read.page.looked = read.page.looked.max(looked);
                stop == end
            }
            Direction::Backward => {
                let stop = self.index_after(read.page.looked.saturating_sub(1));
                let start = stop.saturating_sub(STRIDE);
                if read.collect(request, self.entries.range(start..stop).rev()) {
                    return true;
                }
                read.page.looked = if start == 0 { 0 } else { self.first + start as Seq };
                start == 0
            }
        }
    }

    /// Goes one stride on from `after` and keeps the `max` least ids that are wanted; returns how far it came, or
    /// `None` at the end.
    pub(super) fn find_on(
        &self,
        after: Seq,
        wanted: &impl Fn(&Event) -> bool,
        max: usize,
        least: &mut Found,
    ) -> Option<Seq> {
        let start = self.index_after(after);
        let stop = self.entries.len().min(start + STRIDE);
        for entry in self.entries.range(start..stop) {
            if let Some(event) = entry.event().filter(|event| wanted(event)) {
                least.insert((event.id, entry.lane, entry.seq), entry.clone());
                if least.len() > max {
                    least.pop_last();
                }
            }
        }
        (stop < self.entries.len()).then(|| self.pruned() + stop as Seq)
    }
}

/// Entries found, in the order of their ids.
pub(super) type Found = BTreeMap<(Uuid, LaneId, Seq), Arc<Entry>>;

/// A read under way.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) page: ReadPage,
    bytes: usize,
}

impl Read {
    pub(super) fn new(after: Seq) -> Self {
        Self { page: ReadPage { entries: Vec::new(), looked: after }, bytes: 0 }
    }

    /// Adds what is wanted; true if that fills the page.
    fn collect<'a>(&mut self, request: &ReadRequest, entries: impl Iterator<Item = &'a Arc<Entry>>) -> bool {
        for entry in entries {
            if entry.event().is_none_or(|event| request.filter.matches(event)) {
                self.bytes += entry.event().map_or(0, |event| event.payload.as_str().len());
                self.page.looked = entry.seq;
                self.page.entries.push(entry.clone());
                if self.page.entries.len() >= request.max || self.bytes >= request.max_bytes {
                    return true;
                }
            }
        }
        false
    }
}

fn no_lane(lane: LaneId, lanes: usize) -> Error {
    Error::new(ErrorKind::NotFound, format!("the log has {lanes} lanes, counted from 0")).with_context("lane", lane)
}
