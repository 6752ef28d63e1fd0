use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use busway_core::{Error, ErrorKind, Result};
use tokio::sync::watch;

use super::{queue::Queue, readers::Reading, writer::Job};

/// What callers and threads of an opened store share.
pub(super) struct Shared {
    pub(super) path: PathBuf,
    /// What the file was like when it was opened; see [`file_system::identity`](super::file_system::identity).
    pub(super) identity: Option<u64>,
    pub(super) writes: Queue<Box<dyn Job>>,
    pub(super) reads: Queue<Reading>,
    wake: watch::Sender<u64>,
    lost: AtomicBool,
}

impl Shared {
    pub(super) fn new(path: PathBuf, identity: Option<u64>) -> Self {
        Self {
            path,
            identity,
            writes: Queue::new(),
            reads: Queue::new(),
            wake: watch::Sender::new(0),
            lost: AtomicBool::new(false),
        }
    }

    /// Tells readers that something was appended.
    pub(super) fn wake(&self) {
        self.wake.send_modify(|count| *count += 1);
    }

    pub(super) fn waker(&self) -> watch::Receiver<u64> {
        self.wake.subscribe()
    }

    /// To be called when another file, or none, stands where the store's was.
    pub(super) fn lose(&self) {
        self.lost.store(true, Ordering::Relaxed);
    }

    /// An error if the file is lost.
    pub(super) fn check(&self) -> Result<()> {
        if !self.lost.load(Ordering::Relaxed) {
            return Ok(());
        }
        let detail = format!(
            "the SQLite file `{}` was removed or replaced while it was open; start again to use what lies there now",
            self.path.display()
        );
        Err(Error::new(ErrorKind::PositionLost, detail))
    }

    pub(super) fn closed(&self) -> Error {
        Error::new(ErrorKind::Closed, format!("the SQLite store `{}` is closed", self.path.display()))
    }

    pub(super) fn unanswered(&self) -> Error {
        let detail = format!("a thread of the SQLite store `{}` ended before it answered", self.path.display());
        Error::new(ErrorKind::Internal, detail)
    }

    /// Takes no more work.
    pub(super) fn close(&self) {
        self.writes.close();
        self.reads.close();
    }

    /// Takes no more work and drops what waits, so that nobody waits for a thread that is gone.
    pub(super) fn abandon(&self) {
        self.writes.abandon();
        self.reads.abandon();
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Held by each thread of a store, so that a defect in one ends the store in place of leaving callers waiting.
pub(super) struct Guard(pub(super) Arc<Shared>);

impl Drop for Guard {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.abandon();
        }
    }
}
