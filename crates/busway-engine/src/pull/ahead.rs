use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use busway_core::{Epoch, LaneId, Log, ReadRequest, Result, Seq, SubscriptionId};

use crate::deliver::{Page, Read};

/// Entries that are read for a lane in one go, however few a call takes.
const PAGE: usize = 1_000;
/// Bytes of a page.
const PAGE_BYTES: usize = 512 << 10;
/// With so many left of a page the next one is read.
const LOW: usize = PAGE / 2;
/// Pages kept for all subscriptions together.
const KEPT: usize = 64;
/// A page of which nothing was handed out while so many others were gives way.
const STALE: u64 = 16 * KEPT as u64;

/// Whose page it is, and by which definition it was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) subscription: SubscriptionId,
    pub(super) lane: LaneId,
    pub(super) revision: u64,
    pub(super) epoch: Epoch,
}

impl Source {
    fn is_of_lane(&self, other: &Self) -> bool {
        (self.subscription, self.lane) == (other.subscription, other.lane)
    }
}

/// What was read of lanes and not handed out yet: to read a thousand costs little more than to read a few, and the next
/// thousand is read while these are worked on.
#[derive(Debug, Default)]
pub(super) struct Ahead(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// Of a lane at most two pages, one after the other.
    pages: Vec<KeptPage>,
    /// How often something was handed out.
    uses: u64,
}

#[derive(Debug)]
struct KeptPage {
    source: Source,
    page: Page,
    /// After so many uses of any it was used last.
    used: u64,
}

/// What comes next.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) reads: Vec<Read>,
    pub(super) looked: Seq,
    /// Little is left, and what comes after this is not here.
    pub(super) next: Option<Seq>,
}

impl Ahead {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What comes after a seq, at most `max` entries, and how far that is everything; `None` if it is not here. A page
    /// goes with its last entry.
    pub(super) fn after(&self, source: Source, after: Seq, max: usize) -> Option<Taken> {
        let mut kept = self.kept();
        let index = kept.index(source, after)?;
        kept.uses += 1;
        kept.pages[index].used = kept.uses;
        let page = &kept.pages[index].page;
        let (reads, looked) = page.after(after, max);
        let (to, left) = (page.to, page.count_after(looked));
        if looked == to {
            kept.pages.swap_remove(index);
        }
        Some(Taken { reads, looked, next: kept.wants_more(source, to, left).then_some(to) })
    }

    /// Reads on after a seq, and keeps what comes after `max` entries. Where there is no room to keep it, no more is read.
    pub(super) async fn read(
        &self,
        log: &Arc<dyn Log>,
        source: Source,
        request: ReadRequest,
        max: usize,
    ) -> Result<Taken> {
        let after = request.after;
        let many = if self.kept().has_room(source) { PAGE } else { max.max(1) };
        let found = log.read(ReadRequest { max: many, max_bytes: PAGE_BYTES, ..request }).await?;
        let page = Page { from: after, to: found.looked, reads: found.entries.into_iter().map(Read::of).collect() };
        let (reads, looked) = if max == 0 { (Vec::new(), after) } else { page.after(after, max) };
        let (to, left) = (page.to, page.count_after(looked));
        let mut kept = self.kept();
        // What another revision or epoch chose, and what comes elsewhere in the lane, is of no use any more.
        kept.pages.retain(|kept| !kept.source.is_of_lane(&source) || kept.source == source && kept.page.to == after);
        if looked < to && kept.has_room(source) {
            kept.keep(source, page);
        }
        Ok(Taken { reads, looked, next: kept.wants_more(source, to, left).then_some(to) })
    }

    /// Forgets subscriptions that are gone.
    pub(super) fn retain(&self, known: impl Fn(SubscriptionId) -> bool) {
        self.kept().pages.retain(|kept| known(kept.source.subscription));
    }
}

impl Kept {
    fn index(&self, source: Source, after: Seq) -> Option<usize> {
        self.pages.iter().position(|kept| kept.source == source && kept.page.goes_on_after(after))
    }

    fn wants_more(&self, source: Source, to: Seq, left: usize) -> bool {
        left < LOW && self.index(source, to).is_none() && self.has_room(source)
    }

    /// True if a page of this lane may be kept: it has one, there is room, or somebody does not use his.
    fn has_room(&self, source: Source) -> bool {
        self.pages.len() < KEPT
            || self.pages.iter().any(|kept| kept.source.is_of_lane(&source))
            || self.stale().is_some()
    }

    fn stale(&self) -> Option<usize> {
        let oldest = self.pages.iter().enumerate().min_by_key(|(_, kept)| kept.used);
        oldest.filter(|(_, kept)| self.uses - kept.used > STALE).map(|(index, _)| index)
    }

    fn keep(&mut self, source: Source, page: Page) {
        if self.pages.len() >= KEPT
            && let Some(index) = self.stale()
        {
            self.pages.swap_remove(index);
        }
        self.pages.push(KeptPage { source, page, used: self.uses });
    }
}

#[cfg(test)]
mod tests {
    use busway_core::{EventType, NewEvent, Payload, Seam, Stores, memory::Memory};
    use uuid::Uuid;

    use super::*;
    use crate::{Config, Engine};

    const LANE: LaneId = LaneId(0);

    async fn log(events: usize) -> Arc<dyn Log> {
        let seam = Seam::system();
        let stores: Stores = Memory::with_lanes(seam.clone(), 1).stores();
        let engine = Engine::start(stores.clone(), Config::default(), seam).await.unwrap();
        let payload = Payload::from_json("{}").unwrap();
        let event = NewEvent::new(EventType::new("t").unwrap(), payload);
        engine.publish(vec![event; events]).await.unwrap();
        engine.shutdown().await.unwrap();
        stores.log
    }

    fn source(subscription: u128) -> Source {
        let subscription = SubscriptionId(Uuid::from_u128(subscription));
        Source { subscription, lane: LANE, revision: 1, epoch: Epoch(1) }
    }

    fn seqs(taken: &Taken) -> (usize, Seq, Option<Seq>) {
        (taken.reads.len(), taken.looked, taken.next)
    }

    #[tokio::test]
    async fn a_page_is_handed_out_bit_by_bit_and_the_next_is_asked_for_in_time() {
        let (log, ahead) = (log(2_500).await, Ahead::default());
        let first = ahead.read(&log, source(1), ReadRequest::after(LANE, 0, 200), 200).await.unwrap();
        assert_eq!(seqs(&first), (200, 200, None));
        assert_eq!(seqs(&ahead.after(source(1), 200, 300).unwrap()), (300, 500, None));
        assert_eq!(seqs(&ahead.after(source(1), 500, 1).unwrap()), (1, 501, Some(1_000)));
        ahead.read(&log, source(1), ReadRequest::after(LANE, 1_000, 1), 0).await.unwrap();
        assert_eq!(seqs(&ahead.after(source(1), 501, 1).unwrap()), (1, 502, None));
        assert_eq!(seqs(&ahead.after(source(1), 502, 900).unwrap()), (498, 1_000, None));
        assert_eq!(seqs(&ahead.after(source(1), 1_000, 10).unwrap()), (10, 1_010, None));
        assert!(ahead.after(source(1), 502, 1).is_none(), "a page that was handed out is still there");
    }

    #[tokio::test]
    async fn what_another_definition_or_log_chose_is_not_handed_out() {
        let (log, ahead) = (log(20).await, Ahead::default());
        ahead.read(&log, source(1), ReadRequest::after(LANE, 5, 1), 1).await.unwrap();
        for other in [
            source(2),
            Source { revision: 2, ..source(1) },
            Source { epoch: Epoch(2), ..source(1) },
            Source { lane: LaneId(1), ..source(1) },
        ] {
            assert!(ahead.after(other, 6, 1).is_none(), "{other:?}");
        }
        assert!(ahead.after(source(1), 4, 1).is_none(), "what comes before the page");
        assert!(ahead.after(source(1), 6, 1).is_some());
        ahead.retain(|id| id != source(1).subscription);
        assert!(ahead.after(source(1), 7, 1).is_none(), "what a subscription that is gone had read");
    }

    #[tokio::test]
    async fn so_many_pages_are_kept_and_whoever_does_not_use_his_gives_way() {
        let (log, ahead) = (log(20).await, Ahead::default());
        let read = async |of, after| ahead.read(&log, source(of), ReadRequest::after(LANE, after, 1), 1).await.unwrap();
        let many = KEPT as u128;
        for of in 0..many {
            read(of, 0).await;
            // Who reads elsewhere has no use of the page before.
            read(of, 5).await;
        }
        assert_eq!(ahead.kept().pages.len(), KEPT);
        assert_eq!(read(many, 5).await.reads.len(), 1);
        assert!(ahead.after(source(many), 6, 1).is_none(), "a page was kept beyond what is kept");
        for _ in 0..=STALE {
            assert!(ahead.after(source(3), 6, 0).is_some());
        }
        read(many, 5).await;
        assert!(ahead.after(source(many), 6, 1).is_some(), "nobody gave way");
        assert!(ahead.after(source(3), 6, 1).is_some(), "who uses his page gave way");
        assert_eq!(ahead.kept().pages.len(), KEPT);
    }
}
