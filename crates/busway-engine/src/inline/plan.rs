use std::{
    any::TypeId,
    cell::Cell,
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use busway_core::{EventType, TenantId};

use super::{
    listener::{Hears, Listener},
    occurrence::{Occurrence, Source},
};

/// One emission in this many is timed, the first of a plan included.
const SAMPLED: u64 = 64;

/// Who is called for an event type, or for the values of a Rust type.
pub(super) struct Plan {
    event_type: EventType,
    rust_type: Option<TypeId>,
    listeners: Box<[Arc<Listener>]>,
    tally: Arc<Tally>,
}

/// How often a plan was carried out: one count for the event type and for each of its listeners.
#[derive(Default)]
// Alone in its cache lines, since it is written by all who emit.
#[repr(align(128))]
pub(super) struct Tally(AtomicU64);

impl Tally {
    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Plan {
    pub(super) fn new(event_type: EventType, rust_type: Option<TypeId>, listeners: &[Arc<Listener>]) -> Self {
        let wanted = listeners.iter().filter(|listener| listener.hears.wants(&event_type, rust_type));
        let listeners = wanted.cloned().collect();
        Self { event_type, rust_type, listeners, tally: Arc::default() }
    }

    /// Calls the listeners.
    #[inline]
    pub(super) fn run(&self, tenant: &TenantId, source: Source<'_>) {
        let before = self.tally.0.fetch_add(1, Ordering::Relaxed);
        if self.listeners.is_empty() {
            return;
        }
        let occurrence = Occurrence::new(&self.event_type, tenant, source);
        if before.is_multiple_of(SAMPLED) {
            return self.run_timed(&occurrence);
        }
        for listener in &self.listeners {
            listener.run(&occurrence);
        }
    }

    #[cold]
    fn run_timed(&self, occurrence: &Occurrence<'_>) {
        let mut start = Instant::now();
        for listener in &self.listeners {
            listener.run(occurrence);
            let end = Instant::now();
            listener.latency.record(end - start);
            start = end;
        }
    }

    /// True if a listener that wants to hear this is, or should be, called.
    pub(super) fn is_heard_by(&self, hears: &Hears) -> bool {
        hears.wants(&self.event_type, self.rust_type)
    }

    /// True if it is for emitted values, false for payloads.
    pub(super) fn is_of_values(&self) -> bool {
        self.rust_type.is_some()
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

/// Plans by what is emitted.
#[derive(Clone, Default)]
pub(super) struct Plans {
    values: HashMap<TypeId, Arc<Plan>, BuildHasherDefault<TypeIdHasher>>,
    types: HashMap<EventType, Arc<Plan>, foldhash::fast::RandomState>,
}

impl Plans {
    /// The plan for emitted values of a Rust type.
    #[inline]
    pub(super) fn of_values(&self, rust_type: TypeId) -> Option<&Arc<Plan>> {
        self.values.get(&rust_type)
    }

    /// The plan for payloads of an event type.
    #[inline]
    pub(super) fn of_type(&self, event_type: &EventType) -> Option<&Arc<Plan>> {
        self.types.get(event_type)
    }

    pub(super) fn insert(&mut self, plan: Arc<Plan>) {
        match plan.rust_type {
            Some(rust_type) => self.values.insert(rust_type, plan),
            None => self.types.insert(plan.event_type.clone(), plan),
        };
    }

    /// Takes out the plans that are chosen.
    pub(super) fn take(&mut self, mut chosen: impl FnMut(&Plan) -> bool) -> Vec<Arc<Plan>> {
        let values = self.values.extract_if(|_, plan| chosen(plan)).map(|(_, plan)| plan).collect::<Vec<_>>();
        let types = self.types.extract_if(|_, plan| chosen(plan)).map(|(_, plan)| plan);
        values.into_iter().chain(types).collect()
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

/// Takes the hash that a `TypeId` is.
#[derive(Default)]
pub(super) struct TypeIdHasher(u64);

impl Hasher for TypeIdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// One level of listeners that emit, which ends with its scope.
pub(super) struct Depth;

impl Depth {
    /// As many as the hops of stored events.
    pub(super) const MOST: u32 = 16;

    /// One level deeper, unless it is too deep.
    #[inline]
    pub(super) fn enter() -> Option<Self> {
        DEPTH.with(|depth| {
            (depth.get() < Self::MOST).then(|| {
                depth.set(depth.get() + 1);
                Self
            })
        })
    }
}

impl Drop for Depth {
    fn drop(&mut self) {
        DEPTH.with(|depth| depth.set(depth.get() - 1));
    }
}
