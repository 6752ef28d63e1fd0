use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use busway_core::{Epoch, Heads, LaneId, Log, ReadRequest, Result, Seam, Seq};
use tokio_util::sync::CancellationToken;

use super::{
    backlog::{Backlog, Behind},
    page::{Page, Read},
};
use crate::signal::{Signal, Watcher};

/// Entries that a lane's reader keeps for those a little behind.
const KEPT: usize = 4_096;
/// Bytes that it keeps.
const KEPT_BYTES: usize = 8 << 20;
/// How often a log that other processes share is looked at although no hint came.
const LOOK: Duration = Duration::from_secs(1);

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
    backlog: Arc<Backlog>,
}

#[derive(Debug)]
struct State {
    page: Page,
    bytes: usize,
}

/// One reader per lane and process.
#[derive(Debug)]
pub(crate) struct Reader {
    ends: Vec<End>,
    epoch: AtomicU64,
}

impl Reader {
    pub(crate) fn new(heads: &Heads) -> Self {
        let end = |seq: &Seq| End {
            state: Mutex::new(State { page: Page { from: *seq, to: *seq, reads: VecDeque::new() }, bytes: 0 }),
            moved: Signal::new(),
            backlog: Arc::default(),
        };
        Self { ends: heads.seqs.iter().map(end).collect(), epoch: AtomicU64::new(heads.epoch.0) }
    }

    /// The log's epoch when it was last looked at.
    pub(crate) fn epoch(&self) -> Epoch {
        Epoch(self.epoch.load(Ordering::Relaxed))
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
        let page = &self.state(lane).page;
        if after >= page.to {
            return Found::AtEnd;
        }
        if !page.goes_on_after(after) {
            return Found::Behind;
        }
        let (entries, looked) = page.after(after, max);
        Found::Entries(entries, looked)
    }

    /// For who is told [`Found::Behind`], until it no longer is.
    pub(crate) fn fall_behind(&self, lane: LaneId) -> Behind {
        self.ends[usize::from(lane.0)].backlog.join()
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
            self.epoch.store(heads.epoch.0, Ordering::Relaxed);
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
        let to = self.state(lane).page.to;
        if head <= to {
            return Ok(false);
        }
        if end.moved.watchers() == 0 {
            let page = Page { from: head, to: head, reads: VecDeque::new() };
            *self.state(lane) = State { page, bytes: 0 };
            return Ok(true);
        }
        let page = log.read(ReadRequest::after(lane, to, 1_000)).await?;
        let reads: Vec<Read> = page.entries.into_iter().map(Read::of).collect();
        let mut state = self.state(lane);
        let State { page: end_page, bytes } = &mut *state;
        *bytes += reads.iter().map(|read| read.size as usize).sum::<usize>();
        end_page.reads.extend(reads);
        end_page.to = page.looked.max(end_page.to);
        while end_page.reads.len() > KEPT || *bytes > KEPT_BYTES {
            if let Some(first) = end_page.reads.pop_front() {
                *bytes -= first.size as usize;
                end_page.from = first.entry.seq;
            }
        }
        drop(state);
        end.moved.raise();
        Ok(true)
    }
}
