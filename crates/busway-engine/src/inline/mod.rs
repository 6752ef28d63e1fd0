//! Inline listeners: code that is called synchronously in the process that emits or publishes, in the order of
//! registration, at most once, before the call returns. Whatever fails in a listener is logged and counted and
//! never reaches the emitter.

mod latency;
mod ledger;
mod listener;
mod occurrence;
mod plan;
mod registry;
mod stats;

use std::{
    any::TypeId,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;
use busway_core::{BoxError, Event, EventType, Patterns, Payload, TenantId};
use serde::{Serialize, de::DeserializeOwned};

use listener::{Hears, Listener};
use occurrence::Source;
use plan::{Depth, Plan, Plans};
use registry::Registry;

pub use occurrence::Occurrence;
pub use registry::Registration;
pub use stats::{InlineStats, ListenerStats};

/// A Rust type whose values are the payloads of one event type.
pub trait InlineEvent: Serialize + 'static {
    /// The event type. A text that is none does not compile where it is emitted or listened to.
    const TYPE: &'static str;
}

/// The inline listeners of a bus. Cheap to clone; clones are one.
#[derive(Clone, Default)]
pub struct Inline {
    shared: Arc<Shared>,
}

/// What emitters read without a lock, and what only changes under one.
#[derive(Default)]
struct Shared {
    /// Who hears what, as far as it has been asked; `registry` knows the rest.
    plans: ArcSwap<Plans>,
    registry: Mutex<Registry>,
    looped: AtomicU64,
}

impl Inline {
    /// No listeners.
    pub fn new() -> Self {
        Self::default()
    }

    /// Listens to values of a Rust type. Emitted values come as they are; of published events the payload is
    /// decoded, once for all listeners of the type.
    pub fn on<T: InlineEvent + DeserializeOwned>(
        &self,
        name: impl Into<Arc<str>>,
        listener: impl Fn(&T, &Occurrence<'_>) -> Result<(), BoxError> + Send + Sync + 'static,
    ) -> Registration {
        self.on_as(checked::<T>(), name, listener)
    }

    /// As [`Self::on`], for a type that names its event type elsewhere. `event_type` must be
    /// [valid](EventType::is_valid).
    pub fn on_as<T: DeserializeOwned + 'static>(
        &self,
        event_type: &'static str,
        name: impl Into<Arc<str>>,
        listener: impl Fn(&T, &Occurrence<'_>) -> Result<(), BoxError> + Send + Sync + 'static,
    ) -> Registration {
        let hears = Hears::Values(TypeId::of::<T>(), EventType::from_store(event_type));
        self.register(name.into(), hears, move |occurrence: &Occurrence<'_>| match occurrence.value::<T>() {
            Some(value) => listener(value, occurrence),
            None => listener(&*occurrence.decode::<T>()?, occurrence),
        })
    }

    /// Listens to all events whose type matches.
    pub fn on_types(
        &self,
        name: impl Into<Arc<str>>,
        types: Patterns,
        listener: impl Fn(&Occurrence<'_>) -> Result<(), BoxError> + Send + Sync + 'static,
    ) -> Registration {
        self.register(name.into(), Hears::Types(types), listener)
    }

    fn register(
        &self,
        name: Arc<str>,
        hears: Hears,
        call: impl Fn(&Occurrence<'_>) -> Result<(), BoxError> + Send + Sync + 'static,
    ) -> Registration {
        let mut registry = self.shared.registry();
        let id = registry.add(|id| Arc::new(Listener::new(id, name, hears, call)));
        let outdated = self.shared.plans.swap(registry.publish());
        drop(registry);
        drop(outdated);
        Registration::new(&self.shared, id)
    }

    /// Calls the listeners of a value: nothing is stored, and unless a listener asks for the payload nothing is
    /// serialised.
    pub fn emit<T: InlineEvent>(&self, tenant: &TenantId, value: &T) {
        self.emit_as(checked::<T>(), tenant, value);
    }

    /// As [`Self::emit`], for a type that names its event type elsewhere. `event_type` must be
    /// [valid](EventType::is_valid), and the same for every value of the type.
    pub fn emit_as<T: Serialize + 'static>(&self, event_type: &'static str, tenant: &TenantId, value: &T) {
        let rust_type = TypeId::of::<T>();
        let source = Source::Value { value, payload: |value| value.downcast_ref::<T>().map(Payload::of) };
        match self.shared.plans.load().of_values(rust_type) {
            Some(plan) => self.shared.run(plan, tenant, source),
            None => self.shared.run(&self.shared.plan(EventType::from_store(event_type), Some(rust_type)), tenant, source),
        }
    }

    /// Calls the listeners of an event type with a payload; nothing is stored.
    pub fn emit_payload(&self, event_type: &EventType, tenant: &TenantId, payload: &Payload) {
        self.dispatch(event_type, tenant, Source::Payload(payload));
    }

    /// Calls the listeners of an event that was stored just now.
    pub fn dispatch_stored(&self, event: &Arc<Event>) {
        self.dispatch(&event.event_type, &event.tenant, Source::Stored(event));
    }

    fn dispatch(&self, event_type: &EventType, tenant: &TenantId, source: Source<'_>) {
        match self.shared.plans.load().of_type(event_type) {
            Some(plan) => self.shared.run(plan, tenant, source),
            None => self.shared.run(&self.shared.plan(event_type.clone(), None), tenant, source),
        }
    }

    /// What has been emitted and run since the start. Exact for what has returned.
    pub fn stats(&self) -> InlineStats {
        let looped = self.shared.looped.load(Ordering::Relaxed);
        InlineStats { looped, ..self.shared.registry().stats() }
    }
}

impl Shared {
    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The plan of a type that is not among those published yet.
    #[cold]
    fn plan(&self, event_type: EventType, rust_type: Option<TypeId>) -> Arc<Plan> {
        let mut registry = self.registry();
        let plan = registry.plan(event_type, rust_type);
        if registry.is_worth_publishing() {
            // What is outdated holds no listener that the registry does not hold too: none is dropped here.
            self.plans.store(registry.publish());
        }
        plan
    }

    fn run(&self, plan: &Plan, tenant: &TenantId, source: Source<'_>) {
        match Depth::enter() {
            Some(_deeper) => plan.run(tenant, source),
            None => self.refuse_loop(plan, tenant),
        }
    }

    #[cold]
    fn refuse_loop(&self, plan: &Plan, tenant: &TenantId) {
        self.looped.fetch_add(1, Ordering::Relaxed);
        tracing::error!(
            event_type = plan.event_type().as_str(),
            tenant = tenant.as_str(),
            "dropped an event that inline listeners emit in a loop: more than {} deep",
            Depth::MOST,
        );
    }
}

fn checked<T: InlineEvent>() -> &'static str {
    const { assert!(EventType::is_valid(T::TYPE), "TYPE is no event type; one looks like `ticket.created`") };
    T::TYPE
}

impl fmt::Debug for Inline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inline").field("stats", &self.stats()).finish()
    }
}

#[cfg(test)]
mod tests;
