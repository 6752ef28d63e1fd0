use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;
use uuid::Uuid;

use crate::{
    Capabilities, Checkpoints, Entry, Epoch, Event, Finding, LaneId, Outbox, Patterns, Result, Seq, TenantId, Timestamp,
};

/// What became of one appended event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Its lane.
    pub lane: LaneId,
    /// Its seq; of a duplicate, the seq of the first.
    pub seq: Seq,
    /// When the store took it; of a duplicate, when it took the first.
    pub stored_at: Timestamp,
    /// True if (tenant, id) was stored before, also earlier in the same batch.
    pub duplicate: bool,
}

/// Which entries a reader wants; an empty filter wants all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Types that match these patterns.
    pub types: Option<Arc<Patterns>>,
    /// Events of this tenant.
    pub tenant: Option<TenantId>,
    /// No events of these tenants.
    pub except: Vec<TenantId>,
}

impl Filter {
    /// True if an event is wanted. Entries that cannot be decoded are always wanted.
    pub fn matches(&self, event: &Event) -> bool {
        self.tenant.as_ref().is_none_or(|tenant| *tenant == event.tenant)
            && !self.except.contains(&event.tenant)
            && self.types.as_ref().is_none_or(|types| types.matches(&event.event_type))
    }
}

/// Which way a read goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// From `after` upward, `after` excluded.
    #[default]
    Forward,
    /// From `after` downward, `after` excluded; `Seq::MAX` starts at the end.
    Backward,
}

/// One read of one lane.
#[derive(Clone, Debug)]
pub struct ReadRequest {
    /// The lane.
    pub lane: LaneId,
    /// Where to start, excluded.
    pub after: Seq,
    /// The last seq to look at (forward only), included.
    pub until: Seq,
    /// What is wanted.
    pub filter: Filter,
    /// At most this many entries.
    pub max: usize,
    /// Stop once the payloads returned reach this many bytes; at least one entry is returned.
    pub max_bytes: usize,
    /// Which way.
    pub direction: Direction,
}

impl ReadRequest {
    /// Everything of a lane after a seq, at most `max` entries or 16 MiB.
    pub fn after(lane: LaneId, after: Seq, max: usize) -> Self {
        Self {
            lane,
            after,
            until: Seq::MAX,
            filter: Filter::default(),
            max,
            max_bytes: 16 << 20,
            direction: Direction::Forward,
        }
    }
}

/// What a read found.
#[derive(Clone, Debug, Default)]
pub struct ReadPage {
    /// The entries in the order of the read.
    pub entries: Vec<Arc<Entry>>,
    /// How far was looked: everything wanted up to here (included) is in `entries`. Forward, at least
    /// `after`; with nothing more to find, the lane's head or `until`. Backward, 0 when nothing is left.
    pub looked: Seq,
}

/// What lies behind the ends of several lanes, as somebody knew them.
#[derive(Clone, Debug, Default)]
pub struct Tail {
    /// One for each lane, in the order they were asked for.
    pub pages: Vec<ReadPage>,
    /// Some page ends before its lane does.
    pub more: bool,
}

/// Where the lanes end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heads {
    /// The log's incarnation.
    pub epoch: Epoch,
    /// The highest seq ever given per lane, also when its entry was pruned; 0 before the first event.
    pub seqs: Vec<Seq>,
    /// Everything at or below this seq may have been pruned, per lane.
    pub pruned: Vec<Seq>,
}

/// A hint that something was appended: a counter that rises. It may be missed, so readers also poll
/// where [`Capabilities::shared`] is set and the hint does not cross processes.
pub type Wake = watch::Receiver<u64>;

/// The ordered, durable log. A backend is this and [`Checkpoints`].
#[async_trait]
pub trait Log: Send + Sync + 'static {
    /// What this backend can do.
    fn capabilities(&self) -> &Capabilities;

    /// How many lanes this log has; fixed when it was made.
    fn lanes(&self) -> u16;

    /// Stores a batch: all or none, in the order given within each lane, each (tenant, id) once.
    ///
    /// Returns one [`Appended`] per event in the order given. It returns once the batch has the declared
    /// durability. `OutcomeUnknown` means that repeating the same batch is safe and needed.
    async fn append(&self, batch: &[Arc<Event>]) -> Result<Vec<Appended>>;

    /// Reads one lane.
    async fn read(&self, request: ReadRequest) -> Result<ReadPage>;

    /// Reads on in several lanes that were read to their ends, at most `max` entries of each: what a reader does at every
    /// hint, so a log that can do it in one step does. As given here each lane that has moved is read.
    async fn tail(&self, places: &[(LaneId, Seq)], max: usize) -> Result<Tail> {
        let heads = self.heads().await?;
        let mut tail = Tail::default();
        for (lane, after) in places {
            let head = heads.seqs.get(usize::from(lane.0)).copied().unwrap_or_default();
            let page = match head > *after {
                true => self.read(ReadRequest::after(*lane, *after, max)).await?,
                false => ReadPage { entries: Vec::new(), looked: *after },
            };
            tail.more |= page.looked < head;
            tail.pages.push(page);
        }
        Ok(tail)
    }

    /// Reads single entries of one lane by seq; those not found are left out.
    async fn fetch(&self, lane: LaneId, seqs: &[Seq]) -> Result<Vec<Arc<Entry>>>;

    /// Where the lanes end, as one snapshot.
    async fn heads(&self) -> Result<Heads>;

    /// How many entries of a lane lie after a seq and up to another: exactly where they are few, else about; what was
    /// pruned may count. As given here it is for logs whose seqs have no gaps.
    async fn count(&self, _lane: LaneId, after: Seq, upto: Seq) -> Result<u64> {
        Ok(upto.saturating_sub(after))
    }

    /// Events by id: `from ≤ id ≤ to`, of one tenant or all, at most `max`, in the order of ids.
    async fn find(&self, tenant: Option<&TenantId>, from: Uuid, to: Uuid, max: usize) -> Result<Vec<Arc<Entry>>>;

    /// A wake-up hint.
    fn wake(&self) -> Wake;

    /// Removes entries of a lane with seq ≤ `upto` that were stored before `before`; returns how many.
    async fn prune(&self, lane: LaneId, upto: Seq, before: Timestamp) -> Result<u64>;

    /// What can be told of the store itself: how it is set, what holds it up, what is damaged. It changes nothing and may
    /// take as long as reading the whole store. Nothing unless said otherwise.
    async fn diagnose(&self) -> Result<Vec<Finding>> {
        Ok(Vec::new())
    }
}

/// What every [`Log`] can do by means of the trait.
#[async_trait]
pub trait LogExt: Log {
    /// The highest seq of a lane whose event was stored before `time`: reading after it gives the first
    /// event stored at or after `time`.
    async fn seq_before(&self, lane: LaneId, time: Timestamp) -> Result<Seq> {
        let heads = self.heads().await?;
        let index = usize::from(lane.0);
        let (mut low, mut high) = (heads.pruned[index], heads.seqs[index]);
        // Invariant: everything at or below `low` was stored before `time`; the answer is at most `high`.
        while low < high {
            let middle = low + (high - low) / 2;
            let page = self.read(ReadRequest { until: high, ..ReadRequest::after(lane, middle, 1) }).await?;
            match page.entries.first() {
                Some(entry) if entry.stored_at < time => low = entry.seq,
                _ => high = middle,
            }
        }
        Ok(low)
    }
}

impl<L: Log + ?Sized> LogExt for L {}

/// A backend, as the engine takes it.
#[derive(Clone)]
pub struct Stores {
    /// The log.
    pub log: Arc<dyn Log>,
    /// The checkpoints.
    pub checkpoints: Arc<dyn Checkpoints>,
    /// What callers publish in transactions of their own; `None` where that cannot be.
    pub outbox: Option<Arc<dyn Outbox>>,
    /// Log and checkpoints are one database.
    pub same_database: bool,
}

impl std::fmt::Debug for Stores {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stores").field("log", &self.log.capabilities().name).finish_non_exhaustive()
    }
}
