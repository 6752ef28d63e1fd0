use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{runtime::Runtime, sync::Notify};

/// Knows when nothing can happen any more unless time passes: the one thread of the runtime has nothing left to
/// run, and no call of a store is under way.
#[derive(Debug, Default)]
pub(super) struct Quiet {
    calls: AtomicUsize,
    fell: Notify,
}

/// A call under way, until it is dropped.
pub(super) struct Call<'a>(&'a Quiet);

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Quiet {
    /// A runtime on this thread that tells when it has nothing left to run.
    pub(super) fn runtime() -> std::io::Result<(Runtime, Arc<Self>)> {
        let quiet = Arc::new(Self::default());
        let told = Arc::clone(&quiet);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .on_thread_park(move || {
                if told.calls.load(Ordering::Acquire) == 0 {
                    told.fell.notify_waiters();
                }
            })
            .build()?;
        Ok((runtime, quiet))
    }

    /// A call of a store begins.
    pub(super) fn call(&self) -> Call<'_> {
        self.calls.fetch_add(1, Ordering::AcqRel);
        Call(self)
    }

    /// Ends once nothing can happen any more.
    pub(super) async fn wait(&self) {
        self.fell.notified().await;
    }
}
