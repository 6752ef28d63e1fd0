//! What a run came to, counted from what was noted and from what is in the log.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use busway_core::{Entry, LaneId, ReadRequest, Stores};
use busway_engine::{
    Config,
    conformance::{Bounds, History, Summary, Violation, judge},
};

use crate::numbered::number;

/// Holds of a lane that may run at once.
const RUNNING_HOLDS: usize = 256;

/// Everything in a log, in its order within each lane.
pub(crate) async fn stored(stores: &Stores) -> Vec<Arc<Entry>> {
    let mut entries = Vec::new();
    for (lane, head) in (0..).map(LaneId).zip(stores.log.heads().await.unwrap().seqs) {
        let mut after = 0;
        while after < head {
            let page = stores.log.read(ReadRequest::after(lane, after, 1_000)).await.unwrap();
            assert!(page.looked > after, "a read of lane {lane} after {after} of {head} looks no further");
            after = page.looked;
            entries.extend(page.entries);
        }
    }
    entries
}

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Figures {
    published: usize,
    summary: Summary,
    /// Events that are in the log more than once.
    stored_twice: usize,
    /// Events that stand before an earlier one of their key.
    stored_out_of_order: usize,
    violations: Vec<Violation>,
}

impl Figures {
    pub(crate) async fn of(
        history: &History,
        published: usize,
        subscription: &str,
        attempts: u32,
        stores: &Stores,
    ) -> Self {
        let entries = stored(stores).await;
        let events: Vec<(u64, u64, String)> = entries
            .iter()
            .filter_map(|entry| {
                let event = entry.event()?;
                Some((number(event), entry.seq, event.key.as_ref()?.to_string()))
            })
            .collect();
        let places: BTreeMap<u64, u64> = events.iter().map(|(event, seq, _)| (*event, *seq)).collect();
        let mut last: BTreeMap<&str, u64> = BTreeMap::new();
        let mut stored_out_of_order = 0;
        for (event, _, key) in &events {
            stored_out_of_order += usize::from(last.insert(key, *event).is_some_and(|before| before > *event));
        }
        let bounds = Bounds {
            subscription: subscription.into(),
            attempts,
            window: Config::default().window,
            lanes: usize::from(stores.log.lanes()),
            running_holds: RUNNING_HOLDS,
            ordered: true,
        };
        let (summary, violations) = judge(history, &[bounds], &places, &[], &BTreeSet::new());
        Self { published, summary, stored_twice: events.len() - places.len(), stored_out_of_order, violations }
    }

    /// Promises that were broken, the first few of each kind.
    pub(crate) fn broken(&self) -> Vec<String> {
        let mut broken: Vec<String> = self.violations.iter().take(5).map(|broken| format!("{broken:?}")).collect();
        for (count, what) in [(self.stored_twice, "stored twice"), (self.stored_out_of_order, "stored out of order")] {
            if count > 0 {
                broken.push(format!("{count} {what}"));
            }
        }
        broken
    }

    fn violations(&self, of_kind: impl Fn(&Violation) -> bool) -> usize {
        self.violations.iter().filter(|violation| of_kind(violation)).count()
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary { acknowledged, delivered, repeated, overlaps, .. } = &self.summary;
        write!(
            f,
            "published {}, acknowledged {acknowledged}, delivered {delivered}, lost {}, duplicated {repeated}, out of \
             order {}, overlaps {overlaps}, stored twice {}",
            self.published,
            self.violations(|violation| matches!(violation, Violation::Lost(..))),
            self.violations(|violation| matches!(violation, Violation::OutOfOrder(..))) + self.stored_out_of_order,
            self.stored_twice,
        )
    }
}
