use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use busway_core::{Entry, KeyId, LaneId, Log, Order, ReadRequest, Result, Seam, Seq, TurnId};
use tokio_util::sync::CancellationToken;

use crate::signal::{Signal, Watcher};

/// Entries that a lane's reader keeps for those a little behind.
const KEPT: usize = 4_096;
/// Bytes that it keeps.
const KEPT_BYTES: usize = 8 << 20;
/// How often a log that other processes share is looked at although no hint came.
const LOOK: Duration = Duration::from_secs(1);

/// An entry, with what every subscription asks of it.
#[derive(Clone, Debug)]
pub(crate) struct Read {
    pub(crate) entry: Arc<Entry>,
    /// Its key under [`Order::Key`].
    pub(crate) key: KeyId,
    pub(crate) turn: TurnId,
    pub(crate) size: u32,
}

impl Read {
    pub(crate) fn of(entry: Arc<Entry>) -> Self {
        let size = u32::try_from(entry.size()).unwrap_or(u32::MAX);
        Self { key: entry.key_id(Order::Key), turn: entry.turn(), size, entry }
    }
}

/// What the reader has for someone who stands at a seq.
pub(crate) enum Found {
    /// These, and everything up to here was looked at.
    Entries(Vec<Read>, Seq),
    /// Nothing yet.
    AtEnd,
    /// No longer: read the log.
    Behind,
}

/// The end of one lane, read once for every subscription of the process that has caught up.
#[derive(Debug)]
struct End {
    state: Mutex<State>,
    moved: Arc<Signal>,
}

#[derive(Debug)]
struct State {
    entries: VecDeque<Read>,
    bytes: usize,
    /// Everything after this, up to `to`, is in `entries`.
    from: Seq,
    to: Seq,
}

/// One reader per lane and process.
#[derive(Debug)]
pub(crate) struct Reader {
    ends: Vec<End>,
}

impl Reader {
    pub(crate) fn new(heads: &[Seq]) -> Self {
        let end = |seq: &Seq| End {
            state: Mutex::new(State { entries: VecDeque::new(), bytes: 0, from: *seq, to: *seq }),
            moved: Signal::new(),
        };
        Self { ends: heads.iter().map(end).collect() }
    }

    fn state(&self, lane: LaneId) -> MutexGuard<'_, State> {
        self.ends[usize::from(lane.0)].state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells when the lane's end has moved; while someone waits here, the end is read.
    pub(crate) fn watch(&self, lane: LaneId) -> Watcher {
        self.ends[usize::from(lane.0)].moved.watch()
    }

    /// What comes after a seq, at most `max` entries.
    pub(crate) fn after(&self, lane: LaneId, after: Seq, max: usize) -> Found {
        let state = self.state(lane);
        if after >= state.to {
            return Found::AtEnd;
        }
        if after < state.from {
            return Found::Behind;
        }
        let start = state.entries.partition_point(|read| read.entry.seq <= after);
        let entries: Vec<Read> = state.entries.range(start..).take(max).cloned().collect();
        let looked = if start + entries.len() == state.entries.len() {
            state.to
        } else {
            entries.last().map_or(after, |read| read.entry.seq)
        };
        Found::Entries(entries, looked)
    }

    /// Follows the log until told to stop.
    pub(crate) async fn follow(self: Arc<Self>, log: Arc<dyn Log>, seam: Seam, stop: CancellationToken) {
        let mut wake = log.wake();
        // Hints within one process are never missed.
        let shared = log.capabilities().shared;
        loop {
            if let Err(error) = self.catch_up(&log).await {
                tracing::warn!(%error, "the log cannot be read");
                tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    () = seam.clock().sleep(Duration::from_millis(100)) => continue,
                }
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                changed = wake.changed() => if changed.is_err() { return },
                () = seam.clock().sleep(LOOK), if shared => {}
            }
        }
    }

    async fn catch_up(&self, log: &Arc<dyn Log>) -> Result<()> {
        loop {
            let heads = log.heads().await?;
            let mut moved = false;
            for (lane, head) in (0..).map(LaneId).zip(&heads.seqs) {
                moved |= self.catch_up_lane(log, lane, *head).await?;
            }
            if !moved {
                return Ok(());
            }
        }
    }

    async fn catch_up_lane(&self, log: &Arc<dyn Log>, lane: LaneId, head: Seq) -> Result<bool> {
        let end = &self.ends[usize::from(lane.0)];
        let to = self.state(lane).to;
        if head <= to {
            return Ok(false);
        }
        if end.moved.watchers() == 0 {
            let mut state = self.state(lane);
            state.entries.clear();
            (state.bytes, state.from, state.to) = (0, head, head);
            return Ok(true);
        }
        let page = log.read(ReadRequest::after(lane, to, 1_000)).await?;
        let reads: Vec<Read> = page.entries.into_iter().map(Read::of).collect();
        let mut state = self.state(lane);
        for read in reads {
            state.bytes += read.size as usize;
            state.entries.push_back(read);
        }
        state.to = page.looked.max(state.to);
        while state.entries.len() > KEPT || state.bytes > KEPT_BYTES {
            if let Some(first) = state.entries.pop_front() {
                state.bytes -= first.size as usize;
                state.from = first.entry.seq;
            }
        }
        drop(state);
        end.moved.raise();
        Ok(true)
    }
}
