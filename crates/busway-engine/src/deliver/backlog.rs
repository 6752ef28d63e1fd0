//! Reading a backlog once for all subscriptions of the process that are getting through it.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use busway_core::{LaneId, Log, ReadRequest, Result, Seq};
use tokio::sync::Mutex;

use super::page::{Page, Read};

/// Entries of a page: a window.
const PAGE: usize = 1_024;
/// Entries given at a time: so few that they stay in the processor's cache from being taken until they are settled.
const GIVEN: usize = 256;
/// Bytes of a page.
const PAGE_BYTES: usize = 512 << 10;
/// Pages kept for those who are slower: so many that twelve subscriptions read nearly everything once.
const KEPT: usize = 12;

/// What was last read of one lane, for those who are behind its end.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    behind: AtomicUsize,
    /// Newest first.
    pages: Mutex<VecDeque<Page>>,
}

/// One who is behind the lane's end, until this is dropped.
#[derive(Debug)]
pub(crate) struct Behind(Arc<Backlog>);

impl Backlog {
    pub(super) fn join(self: &Arc<Self>) -> Behind {
        self.behind.fetch_add(1, Ordering::AcqRel);
        Behind(Arc::clone(self))
    }

    /// What comes after a seq, at most `max` entries and [`GIVEN`], and how far was looked. Whoever comes first reads for
    /// all.
    pub(crate) async fn after(
        &self,
        log: &Arc<dyn Log>,
        lane: LaneId,
        after: Seq,
        max: usize,
    ) -> Result<(Vec<Read>, Seq)> {
        let max = max.min(GIVEN);
        let mut pages = self.pages.lock().await;
        if let Some(page) = pages.iter().find(|page| page.goes_on_after(after)) {
            return Ok(page.after(after, max));
        }
        let request = ReadRequest { max_bytes: PAGE_BYTES, ..ReadRequest::after(lane, after, PAGE) };
        let found = log.read(request).await?;
        let page = Page { from: after, to: found.looked, reads: found.entries.into_iter().map(Read::of).collect() };
        let found = page.after(after, max);
        pages.truncate(KEPT - 1);
        pages.push_front(page);
        Ok(found)
    }
}

impl Behind {
    /// The lane's backlog, if others are behind too.
    pub(crate) fn shared(&self) -> Option<Arc<Backlog>> {
        (self.0.behind.load(Ordering::Acquire) > 1).then(|| Arc::clone(&self.0))
    }
}

impl Drop for Behind {
    fn drop(&mut self) {
        if self.0.behind.fetch_sub(1, Ordering::AcqRel) > 1 {
            return;
        }
        // Whoever has it locked is about to read, and is the last to leave in turn.
        if let Ok(mut pages) = self.0.pages.try_lock() {
            pages.clear();
        }
    }
}
