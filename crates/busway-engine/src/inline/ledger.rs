use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use busway_core::EventType;

use super::plan::{Plan, Plans, Tally};

/// Most event types that have plans, and about half of those whose counts are kept singly: the names come from
/// publishers, without end.
pub(super) const MOST_TYPES: usize = 4_096;

/// Counts of what was emitted and run.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    pub(super) emitted: HashMap<EventType, u64>,
    /// Of types that are not counted singly any more.
    pub(super) others: u64,
    /// By listener, those alone that are registered.
    pub(super) executed: HashMap<u64, u64>,
}

impl Counts {
    fn add(&mut self, event_type: &EventType, listeners: impl IntoIterator<Item = u64>, count: u64) {
        *self.emitted.entry(event_type.clone()).or_default() += count;
        for listener in listeners {
            if let Some(executed) = self.executed.get_mut(&listener) {
                *executed += count;
            }
        }
    }

    /// Counts the rarer half of the types that have no plan among the others, once there are too many.
    fn fold_rare(&mut self, plans: &Plans) {
        if self.emitted.len() <= 2 * MOST_TYPES {
            return;
        }
        let planned: HashSet<_> = plans.iter().map(|plan| plan.event_type()).collect();
        let unplanned = self.emitted.iter().filter(|(event_type, _)| !planned.contains(event_type));
        let limit = middle(unplanned.map(|(_, count)| *count).collect());
        let rare = self.emitted.extract_if(|event_type, count| *count <= limit && !planned.contains(event_type));
        self.others += rare.map(|(_, count)| count).sum::<u64>();
    }
}

/// The number that half of the numbers do not exceed.
pub(super) fn middle(mut numbers: Vec<u64>) -> u64 {
    if numbers.is_empty() {
        return 0;
    }
    let at = (numbers.len() - 1) / 2;
    *numbers.select_nth_unstable(at).1
}

/// A plan that is carried out no more, except by who has begun to.
struct Retired {
    event_type: EventType,
    listeners: Box<[u64]>,
    tally: Arc<Tally>,
}

/// Keeps the counts of plans that are gone.
#[derive(Default)]
pub(super) struct Ledger {
    settled: Counts,
    retired: Vec<Retired>,
}

impl Ledger {
    /// Begins to count a listener.
    pub(super) fn open(&mut self, listener: u64) {
        self.settled.executed.insert(listener, 0);
    }

    /// Forgets a listener.
    pub(super) fn close(&mut self, listener: u64) {
        self.settled.executed.remove(&listener);
    }

    /// Takes over the counts of a plan.
    pub(super) fn retire(&mut self, plan: &Plan) {
        let (event_type, listeners) = (plan.event_type().clone(), plan.listeners().collect());
        self.retired.push(Retired { event_type, listeners, tally: Arc::clone(plan.tally()) });
    }

    /// Settles the counts that cannot rise any more; `plans` are those in use.
    pub(super) fn settle(&mut self, plans: &Plans) {
        for mut retired in std::mem::take(&mut self.retired) {
            // Sole ownership tells that nobody counts any more, and that all that was counted is seen.
            match Arc::get_mut(&mut retired.tally).map(|tally| tally.get()) {
                Some(count) => self.settled.add(&retired.event_type, retired.listeners, count),
                None => self.retired.push(retired),
            }
        }
        self.settled.fold_rare(plans);
    }

    /// All counts, those of the plans in use included.
    pub(super) fn counts(&self, plans: &Plans) -> Counts {
        let mut counts = self.settled.clone();
        for retired in &self.retired {
            counts.add(&retired.event_type, retired.listeners.iter().copied(), retired.tally.get());
        }
        for plan in plans.iter() {
            counts.add(plan.event_type(), plan.listeners(), plan.tally().get());
        }
        counts
    }
}
