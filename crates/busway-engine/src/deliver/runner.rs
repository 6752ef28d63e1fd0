use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicU64, Ordering},
};

use busway_core::Checkpoint;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{AlonePermit, Place, Reader, Work, shift::Shift};
use crate::lane::Limits;

/// Of [`Shown::idle_until`]: not idle.
pub(super) const BUSY: i64 = 0;

/// How a runner is spoken to.
pub(crate) struct LaneHandle {
    pub(crate) release: CancellationToken,
    /// Another has taken the lane.
    pub(crate) lost: CancellationToken,
    pub(crate) cancel: CancellationToken,
    pub(crate) shown: Arc<Shown>,
}

/// What a runner shows of its lane.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    pub(crate) running: AtomicU64,
    pub(crate) cursor: AtomicU64,
    pub(crate) broken: AtomicU64,
    pub(crate) saturated: AtomicU64,
    /// Until when nothing happens unless something comes, in milliseconds of [`Timestamp`]; [`BUSY`] while
    /// something does.
    pub(crate) idle_until: AtomicI64,
    /// The newest revision that the lane has adopted, confirmed.
    pub(crate) revision: AtomicU64,
    /// The fence by which the lane is held; 0 before it is surely taken.
    pub(super) fence: AtomicU64,
}

impl Shown {
    /// Whether somebody has taken the lane since.
    pub(crate) fn is_fenced_by(&self, checkpoint: &Checkpoint) -> bool {
        let fence = self.fence.load(Ordering::Acquire);
        fence != 0 && checkpoint.version.fence > fence
    }
}

/// How a runner ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It gave the lane back.
    Released,
    /// The lane is another's.
    Lost,
    /// The lane could not be read; try again.
    Failed,
}

/// What a runner works with.
pub(crate) struct Runner {
    pub(crate) place: Place,
    pub(crate) work: Arc<Work>,
    pub(crate) reader: Arc<Reader>,
    pub(crate) limits: Limits,
    pub(crate) member: busway_core::MemberId,
    /// The fence by which the lane was free to be taken.
    pub(crate) fence: u64,
    pub(crate) alone: AlonePermit,
    pub(crate) tasks: TaskTracker,
    pub(crate) release: CancellationToken,
    pub(crate) lost: CancellationToken,
    pub(crate) cancel: CancellationToken,
    pub(crate) shown: Arc<Shown>,
    /// Told when the runner has become idle, has adopted a revision or ended.
    pub(crate) stirred: Arc<tokio::sync::Notify>,
}
impl Runner {
    /// Takes the lane, unless another was quicker, and works on it until it is given back or lost.
    pub(crate) async fn run(self) -> Ended {
        let stirred = Arc::clone(&self.stirred);
        let shown = Arc::clone(&self.shown);
        let ended = match Shift::begin(self).await {
            Ok(Some(shift)) => shift.work().await,
            Ok(None) => Ended::Lost,
            Err(error) => {
                tracing::warn!(%error, "a lane cannot be taken");
                Ended::Failed
            }
        };
        shown.idle_until.store(i64::MAX, Ordering::Release);
        stirred.notify_waiters();
        ended
    }
}
