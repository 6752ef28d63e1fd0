use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use busway_core::{Appended, Epoch, Event, Heads, Result, Seam};
use tokio::sync::{Notify, watch};

use super::{
    append::append,
    bell::Bell,
    columns::{column, only, unsigned},
    config::StoredAt,
    error::is_part_full,
    known::Known,
    pool::Pool,
};

/// Of a part's size, how much is appended by one process before it looks whether the part is full.
const LOOKS_PER_PART: u64 = 64;

/// What callers and background tasks of an opened store share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) pool: Arc<Pool>,
    pub(super) lanes: u16,
    pub(super) known: Known,
    pub(super) bell: Arc<Bell>,
    pub(super) part_bytes: u64,
    /// Told once so much was appended that the newest part may be full.
    pub(super) much_appended: Notify,
    /// Told once a part may have nothing left in it.
    pub(super) pruned: Notify,
    /// Bytes appended since the newest part was last thought to be full.
    pub(super) unlooked: AtomicU64,
    pub(super) seam: Seam,
    pub(super) stored_at: StoredAt,
    pub(super) wake: watch::Sender<u64>,
}

impl Shared {
    /// Tells readers that something was appended.
    pub(super) fn wake(&self) {
        self.wake.send_modify(|count| *count += 1);
    }

    pub(super) fn has_waiters(&self) -> bool {
        self.wake.receiver_count() > 0
    }

    /// Asks where the lanes end.
    pub(super) async fn hear_heads(&self) -> Result<Heads> {
        let row = only(self.pool.read_often("SELECT * FROM {schema}.heads()", &[]).await?)?;
        let unsigned_all = |seqs: Vec<i64>| seqs.into_iter().map(i64::cast_unsigned).collect();
        let heads = Heads {
            epoch: Epoch(unsigned(&row, 0)?),
            seqs: unsigned_all(column(&row, 1)?),
            pruned: unsigned_all(column(&row, 2)?),
        };
        self.known.heard(&heads, column::<i32>(&row, 3)?.cast_unsigned());
        Ok(heads)
    }

    /// Appends a batch, and tells of it.
    pub(super) async fn append(&self, batch: &[Arc<Event>]) -> Result<Vec<Appended>> {
        let note = self.bell.claim();
        let appended = match self.append_with(batch, note).await {
            Err(error) if is_part_full(&error) => {
                self.tend_parts().await?;
                self.append_with(batch, note).await?
            }
            appended => appended?,
        };
        self.known.appended(&appended);
        if appended.iter().any(|appended| !appended.duplicate) {
            self.wake();
            if note.is_none() {
                self.bell.ring_soon(&self.pool, batch.len());
            }
        }
        self.count(batch);
        Ok(appended)
    }

    async fn append_with(&self, batch: &[Arc<Event>], note: Option<&str>) -> Result<Vec<Appended>> {
        let at = (self.stored_at == StoredAt::Seam).then(|| self.seam.now());
        append(&self.pool, self.lanes, batch, at, note).await
    }

    fn count(&self, batch: &[Arc<Event>]) {
        let bytes = batch.iter().map(|event| event.size() as u64).sum::<u64>();
        let most = (self.part_bytes / LOOKS_PER_PART).max(1);
        if self.unlooked.fetch_add(bytes, Ordering::Relaxed) + bytes >= most {
            self.unlooked.store(0, Ordering::Relaxed);
            self.much_appended.notify_one();
        }
    }
}
