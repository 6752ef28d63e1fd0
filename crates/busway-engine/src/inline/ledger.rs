use std::{collections::HashMap, sync::Arc};

use busway_core::EventType;

use super::plan::{Plan, Tally};

/// Counts of what was emitted and run.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    pub(super) emitted: HashMap<EventType, u64>,
    /// Of types that are no longer counted singly.
    pub(super) others: u64,
    /// By listener, those alone that are registered.
    pub(super) executed: HashMap<u64, u64>,
}

impl Counts {
    fn add(&mut self, event_type: Option<&EventType>, listeners: impl IntoIterator<Item = u64>, count: u64) {
        match event_type {
            Some(event_type) => *self.emitted.entry(event_type.clone()).or_default() += count,
            None => self.others += count,
        }
        for listener in listeners {
            if let Some(executed) = self.executed.get_mut(&listener) {
                *executed += count;
            }
        }
    }

    /// Counts the rarer half of the types among the others once there are more than `most`.
    fn fold_rare(&mut self, most: usize) {
        if self.emitted.len() <= most {
            return;
        }
        let limit = middle(self.emitted.values().copied().collect());
        let rare = self.emitted.extract_if(|_, count| *count <= limit);
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
    event_type: Option<EventType>,
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

    /// Takes over the counts of a plan; of a forgotten type, among the others.
    pub(super) fn retire(&mut self, plan: &Plan, forgotten: bool) {
        let event_type = (!forgotten).then(|| plan.event_type().clone());
        if forgotten {
            self.settled.others += self.settled.emitted.remove(plan.event_type()).unwrap_or(0);
        }
        self.retired.push(Retired {
            event_type,
            listeners: plan.listeners().collect(),
            tally: Arc::clone(plan.tally()),
        });
    }

    /// Settles the counts that cannot rise any more, of at most `most` types singly.
    pub(super) fn settle(&mut self, most: usize) {
        for mut retired in std::mem::take(&mut self.retired) {
            // Sole ownership tells that nobody counts any more, and that all that was counted is seen.
            match Arc::get_mut(&mut retired.tally).map(|tally| tally.get()) {
                Some(count) => self.settled.add(retired.event_type.as_ref(), retired.listeners, count),
                None => self.retired.push(retired),
            }
        }
        self.settled.fold_rare(most);
    }

    /// All counts, those of the plans in use included.
    pub(super) fn counts<'a>(&self, plans: impl Iterator<Item = &'a Arc<Plan>>) -> Counts {
        let mut counts = self.settled.clone();
        for retired in &self.retired {
            counts.add(retired.event_type.as_ref(), retired.listeners.iter().copied(), retired.tally.get());
        }
        for plan in plans {
            counts.add(Some(plan.event_type()), plan.listeners(), plan.tally().get());
        }
        counts
    }
}
