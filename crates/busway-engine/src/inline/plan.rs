use std::{
    any::{Any, TypeId},
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use busway_core::{EventType, Payload, TenantId};
use serde::Serialize;

use super::{
    by_rust_type::ByRustType,
    listener::{Hears, Listener, ValueCall},
    occurrence::{MadeOnce, Occurrence, Source},
};

/// One emission in this many is timed, the first of a plan included.
const SAMPLED: u64 = 64;

/// Who is called for an event type, or for the values of a Rust type.
pub(super) struct Plan {
    event_type: EventType,
    listeners: Box<[Arc<Listener>]>,
    values: Option<Values>,
    tally: Arc<Tally>,
}

/// What makes a plan one for the values of a Rust type.
struct Values {
    rust_type: TypeId,
    /// A `Calls<T>`.
    calls: Box<dyn Any + Send + Sync>,
}

/// The listeners of a plan, and how each is called with a value; `None` if it listens by the event type.
type Calls<T> = Box<[(Arc<Listener>, Option<ValueCall<T>>)]>;

/// How often a plan was carried out: one count for the event type and for each of its listeners.
#[derive(Default)]
// Alone in its cache lines, since it is written by all who emit.
#[repr(align(128))]
pub(super) struct Tally(AtomicU64);

impl Tally {
    /// Counts one more; returns how many there were before.
    #[inline]
    fn count(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Plan {
    /// For payloads of an event type.
    pub(super) fn of_type(event_type: EventType, listeners: &[Arc<Listener>]) -> Self {
        let listeners = wanting(listeners, &event_type, None);
        Self { event_type, listeners, values: None, tally: Arc::default() }
    }

    /// For values of a Rust type.
    pub(super) fn of_values<T: 'static>(event_type: EventType, listeners: &[Arc<Listener>]) -> Self {
        let rust_type = TypeId::of::<T>();
        let listeners = wanting(listeners, &event_type, Some(rust_type));
        let calls: Calls<T> = listeners.iter().map(|listener| (Arc::clone(listener), listener.value_call())).collect();
        let values = Some(Values { rust_type, calls: Box::new(calls) });
        Self { event_type, listeners, values, tally: Arc::default() }
    }

    /// Calls the listeners with a payload.
    pub(super) fn run(&self, tenant: &TenantId, source: Source<'_>) {
        let before = self.tally.count();
        let made = MadeOnce::default();
        let occurrence = Occurrence::new(&self.event_type, tenant, source, &made);
        let run = |listener: &Arc<Listener>| listener.run(&occurrence, || listener.call(&occurrence));
        run_each(&self.listeners, before, run, |listener| listener);
    }

    /// Calls the listeners with a value.
    #[inline]
    pub(super) fn run_value<T: Serialize + 'static>(&self, tenant: &TenantId, value: &T) {
        let calls = self.values.as_ref().and_then(|values| values.calls.downcast_ref::<Calls<T>>());
        let before = self.tally.count();
        let made = MadeOnce::default();
        let source = Source::Value { value, payload: |value| value.downcast_ref::<T>().map(Payload::of) };
        let occurrence = Occurrence::new(&self.event_type, tenant, source, &made);
        let run = |(listener, call): &(Arc<Listener>, Option<ValueCall<T>>)| {
            listener.run(&occurrence, || match call {
                Some(call) => call(value, &occurrence),
                None => listener.call(&occurrence),
            });
        };
        run_each(calls.map_or(&[], |calls| calls), before, run, |(listener, _)| listener);
    }

    /// True if a listener that wants to hear this is, or should be, called.
    pub(super) fn is_heard_by(&self, hears: &Hears) -> bool {
        hears.wants(&self.event_type, self.rust_type())
    }

    /// True if it is for emitted values, false for payloads.
    pub(super) fn is_of_values(&self) -> bool {
        self.values.is_some()
    }

    fn rust_type(&self) -> Option<TypeId> {
        self.values.as_ref().map(|values| values.rust_type)
    }

    pub(super) fn event_type(&self) -> &EventType {
        &self.event_type
    }

    pub(super) fn tally(&self) -> &Arc<Tally> {
        &self.tally
    }

    /// The ids of the listeners.
    pub(super) fn listeners(&self) -> impl Iterator<Item = u64> {
        self.listeners.iter().map(|listener| listener.id)
    }
}

/// Runs each, and now and then times it.
#[inline]
fn run_each<C>(calls: &[C], before: u64, run: impl Fn(&C), listener: impl Fn(&C) -> &Listener) {
    if before.is_multiple_of(SAMPLED) {
        run_each_timed(calls, run, listener);
    } else {
        calls.iter().for_each(run);
    }
}

#[cold]
fn run_each_timed<C>(calls: &[C], run: impl Fn(&C), listener: impl Fn(&C) -> &Listener) {
    let mut start = Instant::now();
    for call in calls {
        run(call);
        let end = Instant::now();
        listener(call).latency.record(end - start);
        start = end;
    }
}

fn wanting(listeners: &[Arc<Listener>], event_type: &EventType, rust_type: Option<TypeId>) -> Box<[Arc<Listener>]> {
    listeners.iter().filter(|listener| listener.hears.wants(event_type, rust_type)).cloned().collect()
}

/// Plans by what is emitted.
#[derive(Clone, Default)]
pub(super) struct Plans {
    values: ByRustType<Arc<Plan>>,
    types: HashMap<EventType, Arc<Plan>, foldhash::fast::RandomState>,
}

impl Plans {
    /// The plan for emitted values of a Rust type.
    #[inline]
    pub(super) fn of_values(&self, rust_type: TypeId) -> Option<&Arc<Plan>> {
        self.values.get(rust_type)
    }

    /// The plan for payloads of an event type.
    #[inline]
    pub(super) fn of_type(&self, event_type: &EventType) -> Option<&Arc<Plan>> {
        self.types.get(event_type)
    }

    pub(super) fn insert(&mut self, plan: Arc<Plan>) {
        match plan.rust_type() {
            Some(rust_type) => self.values.insert(rust_type, plan),
            None => {
                self.types.insert(plan.event_type.clone(), plan);
            }
        }
    }

    /// Takes out the plans that are chosen.
    pub(super) fn take(&mut self, mut chosen: impl FnMut(&Plan) -> bool) -> Vec<Arc<Plan>> {
        let mut taken = self.values.take(|plan| chosen(plan));
        taken.extend(self.types.extract_if(|_, plan| chosen(plan)).map(|(_, plan)| plan));
        taken
    }

    /// The plans for payloads.
    pub(super) fn of_types(&self) -> impl ExactSizeIterator<Item = &Arc<Plan>> {
        self.types.values()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Plan>> {
        self.values.values().chain(self.types.values())
    }

    pub(super) fn len(&self) -> usize {
        self.values.len() + self.types.len()
    }
}
