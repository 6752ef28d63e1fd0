use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use busway_core::{Epoch, Heads, LaneId, Log, ReadPage, ReadRequest, Result, Seam, Seq};
use tokio::sync::Notify;
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
/// Entries of a lane that are read in one go.
const AT_ONCE: usize = 1_000;
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
    /// When it was last looked at nobody watched, so that events may have passed by.
    passed_by: bool,
}

/// One reader per lane and process.
#[derive(Debug)]
pub(crate) struct Reader {
    ends: Vec<End>,
    epoch: AtomicU64,
    /// Told when somebody begins to watch.
    watched: Notify,
}

impl Reader {
    pub(crate) fn new(heads: &Heads) -> Self {
        let end = |seq: &Seq| End { state: Mutex::new(State::at(*seq)), moved: Signal::new(), backlog: Arc::default() };
        let ends = heads.seqs.iter().map(end).collect();
        Self { ends, epoch: AtomicU64::new(heads.epoch.0), watched: Notify::new() }
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
        let watcher = self.ends[usize::from(lane.0)].moved.watch();
        self.watched.notify_one();
        watcher
    }

    fn is_watched(&self) -> bool {
        self.ends.iter().any(|end| end.moved.watchers() > 0)
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

    /// True if nothing is known to come after a seq.
    pub(crate) fn is_at_end(&self, lane: LaneId, after: Seq) -> bool {
        after >= self.state(lane).page.to
    }

    /// For who is told [`Found::Behind`], until it no longer is.
    pub(crate) fn fall_behind(&self, lane: LaneId) -> Behind {
        self.ends[usize::from(lane.0)].backlog.join()
    }

    /// Follows the log until told to stop. While nobody watches, it is only looked at now and then.
    pub(crate) async fn follow(self: Arc<Self>, log: Arc<dyn Log>, seam: Seam, stop: CancellationToken) {
        let mut wake = log.wake();
        // Hints within one process are never missed.
        let shared = log.capabilities().shared;
        let mut hinted = false;
        let mut look = seam.clock().sleep(LOOK);
        loop {
            let caught_up = if hinted {
                self.follow_hint(&log).await
            } else {
                look = seam.clock().sleep(LOOK);
                self.catch_up(&log).await
            };
            hinted = false;
            if let Err(error) = caught_up {
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
                () = self.watched.notified() => {}
                // Before the hints, so that these do not keep it from being looked at however many they are.
                () = &mut look, if shared => {}
                changed = wake.changed(), if self.is_watched() => {
                    if changed.is_err() {
                        return;
                    }
                    hinted = true;
                }
            }
        }
    }

    /// Reads on in the lanes whose ends are followed, in one go.
    async fn follow_hint(&self, log: &Arc<dyn Log>) -> Result<()> {
        let followed = (0..).map(LaneId).zip(&self.ends).filter_map(|(lane, end)| {
            let mut state = self.state(lane);
            state.passed_by |= end.moved.watchers() == 0;
            (!state.passed_by).then_some((lane, state.page.to))
        });
        let places: Vec<(LaneId, Seq)> = followed.collect();
        if places.is_empty() {
            return Ok(());
        }
        let tail = log.tail(&places, AT_ONCE).await?;
        for ((lane, after), page) in places.into_iter().zip(tail.pages) {
            if page.looked > after {
                self.add(lane, page);
            }
        }
        if tail.more { self.catch_up(log).await } else { Ok(()) }
    }

    /// Reads up to where the log ends now; what is appended meanwhile comes with a hint of its own.
    async fn catch_up(&self, log: &Arc<dyn Log>) -> Result<()> {
        let heads = log.heads().await?;
        self.epoch.store(heads.epoch.0, Ordering::Relaxed);
        loop {
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
        let passed_by = end.moved.watchers() == 0;
        let to = {
            let mut state = self.state(lane);
            let to = state.page.to;
            if std::mem::replace(&mut state.passed_by, passed_by) || passed_by {
                if head <= to {
                    return Ok(false);
                }
                *state = State { passed_by, ..State::at(head) };
                drop(state);
                end.moved.raise();
                return Ok(false);
            }
            to
        };
        if head <= to {
            return Ok(false);
        }
        let page = log.read(ReadRequest::after(lane, to, AT_ONCE)).await?;
        self.add(lane, page);
        Ok(true)
    }

    /// Takes what comes next of a lane, and tells who watches it.
    fn add(&self, lane: LaneId, page: ReadPage) {
        let reads: Vec<Read> = page.entries.into_iter().map(Read::of).collect();
        let mut state = self.state(lane);
        let State { page: end_page, bytes, .. } = &mut *state;
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
        self.ends[usize::from(lane.0)].moved.raise();
    }
}

impl State {
    /// Nothing is kept of what comes before.
    fn at(seq: Seq) -> Self {
        Self { page: Page { from: seq, to: seq, reads: VecDeque::new() }, bytes: 0, passed_by: false }
    }
}
