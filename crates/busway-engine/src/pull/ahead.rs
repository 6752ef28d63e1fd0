use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use busway_core::{Epoch, LaneId, Log, ReadRequest, Result, Seq, SubscriptionId};

use crate::deliver::{Page, Read};

/// Entries that are read for a lane in one go, however few a call takes.
const PAGE: usize = 1_000;
/// Bytes of a page.
const PAGE_BYTES: usize = 512 << 10;
/// With so many left of a page the next one is read.
const LOW: usize = PAGE / 2;
/// Pages kept for all subscriptions together. Whoever's are dropped reads again.
const KEPT: usize = 64;

/// Whose page it is, and by which definition it was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) subscription: SubscriptionId,
    pub(super) lane: LaneId,
    pub(super) revision: u64,
    pub(super) epoch: Epoch,
}

/// What was read of lanes and not handed out yet: to read a thousand costs little more than to read a few, and the next
/// thousand is read while these are worked on. Newest first; of a lane at most two pages, one after the other.
#[derive(Debug, Default)]
pub(super) struct Ahead(Mutex<VecDeque<(Source, Page)>>);

/// What was found here.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) reads: Vec<Read>,
    pub(super) looked: Seq,
    /// Little is left, and what comes after this is not here.
    pub(super) next: Option<Seq>,
}

impl Ahead {
    fn pages(&self) -> MutexGuard<'_, VecDeque<(Source, Page)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What comes after a seq, at most `max` entries, and how far that is everything; `None` if it is not here. A page
    /// goes with its last entry.
    pub(super) fn after(&self, source: Source, after: Seq, max: usize) -> Option<Taken> {
        let mut pages = self.pages();
        let at = |seq: Seq| move |(of, page): &(Source, Page)| *of == source && page.goes_on_after(seq);
        let index = pages.iter().position(at(after))?;
        let page = &pages[index].1;
        let (reads, looked) = page.after(after, max);
        let (to, left) = (page.to, page.count_after(looked));
        if looked == to {
            pages.remove(index);
        }
        let next = (left < LOW && !pages.iter().any(at(to))).then_some(to);
        Some(Taken { reads, looked, next })
    }

    /// Reads a page, and keeps what of it comes after `max` entries.
    pub(super) async fn read(
        &self,
        log: &Arc<dyn Log>,
        source: Source,
        request: ReadRequest,
        max: usize,
    ) -> Result<Taken> {
        let after = request.after;
        let found = log.read(ReadRequest { max: PAGE, max_bytes: PAGE_BYTES, ..request }).await?;
        let page = Page { from: after, to: found.looked, reads: found.entries.into_iter().map(Read::of).collect() };
        let (reads, looked) = page.after(after, max);
        let mut pages = self.pages();
        // What another revision or epoch chose, and what comes elsewhere in the lane, is of no use any more.
        pages.retain(|(of, before)| {
            (of.subscription, of.lane) != (source.subscription, source.lane) || *of == source && before.to == after
        });
        if looked < page.to {
            pages.truncate(KEPT - 1);
            pages.push_front((source, page));
        }
        Ok(Taken { reads, looked, next: None })
    }

    /// Forgets subscriptions that are gone.
    pub(super) fn retain(&self, known: impl Fn(SubscriptionId) -> bool) {
        self.pages().retain(|(source, _)| known(source.subscription));
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
    async fn only_so_many_pages_are_kept() {
        let (log, ahead) = (log(20).await, Ahead::default());
        for of in 0..2 * KEPT as u128 {
            ahead.read(&log, source(of), ReadRequest::after(LANE, 0, 1), 1).await.unwrap();
            // Read anew elsewhere, the page before is of no use.
            ahead.read(&log, source(of), ReadRequest::after(LANE, 5, 1), 1).await.unwrap();
        }
        let kept = (0..2 * KEPT as u128).filter(|of| ahead.after(source(*of), 6, 1).is_some()).count();
        assert_eq!((kept, ahead.pages().len()), (KEPT, KEPT));
    }
}
