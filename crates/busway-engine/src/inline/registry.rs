use std::{
    any::TypeId,
    fmt,
    sync::{Arc, Weak, atomic::Ordering},
};

use busway_core::EventType;

use super::{
    Shared,
    latency::Times,
    ledger::{Ledger, MOST_TYPES, middle},
    listener::Listener,
    plan::{Plan, Plans},
    stats::{InlineStats, ListenerStats},
};

/// The listeners in the order of their registration, the plans made of them, and what they counted.
#[derive(Default)]
pub(super) struct Registry {
    listeners: Vec<Arc<Listener>>,
    next: u64,
    plans: Plans,
    /// How often a plan was asked for since all were published.
    asked: usize,
    ledger: Ledger,
}

impl Registry {
    /// Adds a listener and returns its id; plans that lack it are gone.
    pub(super) fn add(&mut self, listener: impl FnOnce(u64) -> Arc<Listener>) -> u64 {
        let id = self.next;
        self.next += 1;
        let listener = listener(id);
        self.ledger.open(id);
        self.retire_of(&listener);
        self.listeners.push(listener);
        id
    }

    /// Takes out a listener; plans that have it are gone. What is returned must be dropped without the lock,
    /// since dropping a listener runs its author's code.
    fn remove(&mut self, id: u64) -> Option<(Arc<Listener>, Vec<Arc<Plan>>)> {
        let at = self.listeners.iter().position(|listener| listener.id == id)?;
        let listener = self.listeners.remove(at);
        let plans = self.retire_of(&listener);
        self.ledger.close(id);
        Some((listener, plans))
    }

    fn retire_of(&mut self, listener: &Listener) -> Vec<Arc<Plan>> {
        let plans = self.plans.take(|plan| plan.is_heard_by(&listener.hears));
        plans.iter().for_each(|plan| self.ledger.retire(plan));
        plans
    }

    /// The plan for values of a Rust type.
    pub(super) fn plan_of_values<T: 'static>(&mut self, event_type: EventType) -> Arc<Plan> {
        match self.plans.of_values(TypeId::of::<T>()).cloned() {
            Some(known) => self.known(known),
            None => self.keep(Plan::of_values::<T>(event_type, &self.listeners)),
        }
    }

    /// The plan for payloads of an event type.
    pub(super) fn plan_of_type(&mut self, event_type: &EventType) -> Arc<Plan> {
        if let Some(known) = self.plans.of_type(event_type).cloned() {
            return self.known(known);
        }
        if self.plans.of_types().len() >= MOST_TYPES {
            self.retire_rare();
        }
        self.keep(Plan::of_type(event_type.clone(), &self.listeners))
    }

    fn known(&mut self, plan: Arc<Plan>) -> Arc<Plan> {
        self.asked += 1;
        plan
    }

    fn keep(&mut self, plan: Plan) -> Arc<Plan> {
        let plan = Arc::new(plan);
        self.plans.insert(Arc::clone(&plan));
        self.known(plan)
    }

    /// Gives up the plans of the types that were emitted least, half of all.
    fn retire_rare(&mut self) {
        let limit = middle(self.plans.of_types().map(|plan| plan.tally().get()).collect());
        let rare = self.plans.take(|plan| !plan.is_of_values() && plan.tally().get() <= limit);
        rare.iter().for_each(|plan| self.ledger.retire(plan));
    }

    /// True once looking up under the lock has cost about what publishing does.
    pub(super) fn is_worth_publishing(&self) -> bool {
        self.asked >= self.plans.len()
    }

    /// The plans for those who emit.
    pub(super) fn publish(&mut self) -> Arc<Plans> {
        self.asked = 0;
        self.ledger.settle(&self.plans);
        Arc::new(self.plans.clone())
    }

    pub(super) fn stats(&mut self) -> InlineStats {
        self.ledger.settle(&self.plans);
        let counts = self.ledger.counts(&self.plans);
        let mut listeners: Vec<(ListenerStats, Times)> = Vec::new();
        for listener in &self.listeners {
            let at = listeners.iter().position(|(stats, _)| stats.name == listener.name).unwrap_or_else(|| {
                listeners.push((ListenerStats::new(Arc::clone(&listener.name)), Times::new()));
                listeners.len() - 1
            });
            let (stats, times) = &mut listeners[at];
            stats.executed += counts.executed.get(&listener.id).copied().unwrap_or(0);
            stats.failed += listener.failed.load(Ordering::Relaxed);
            listener.latency.add_to(times);
        }
        InlineStats {
            emitted: counts.emitted.into_iter().filter(|(_, count)| *count > 0).collect(),
            emitted_others: counts.others,
            listeners: listeners.into_iter().map(|(stats, times)| stats.with(&times)).collect(),
            looped: 0,
        }
    }
}

/// A registered listener; it stays when this is dropped.
#[derive(Clone)]
pub struct Registration {
    shared: Weak<Shared>,
    id: u64,
}

impl Registration {
    pub(super) fn new(shared: &Arc<Shared>, id: u64) -> Self {
        Self { shared: Arc::downgrade(shared), id }
    }

    /// Ends it: what is emitted after this returns does not reach the listener. Its figures go with it.
    pub fn remove(&self) {
        let Some(shared) = self.shared.upgrade() else { return };
        let mut registry = shared.registry();
        let removed = registry.remove(self.id);
        let outdated = shared.plans.swap(registry.publish());
        drop(registry);
        drop((removed, outdated));
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Registration").field(&self.id).finish()
    }
}
