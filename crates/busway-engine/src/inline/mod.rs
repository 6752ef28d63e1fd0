//! Inline listeners: code that is called synchronously in the process that emits or publishes, in the order of
//! registration, at most once, before the call returns. Whatever fails in a listener is logged and counted and
//! never reaches the emitter.

mod by_rust_type;
mod depth;
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

use depth::Depth;
use listener::{Hears, Listener, ValueCall};
use occurrence::Source;
use plan::{Plan, Plans};
use registry::Registry;

pub use occurrence::Occurrence;
pub use registry::Registration;
pub use stats::{InlineStats, ListenerStats};

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

    /// Listens to values of a Rust type, which are the payloads of one event type. Emitted values come as they
    /// are; of published events the payload is decoded, once for all listeners of the Rust type.
    ///
    /// `event_type` must be [valid](EventType::is_valid), and the same wherever the Rust type is listened to or
    /// emitted.
    pub fn on_values<T: DeserializeOwned + 'static>(
        &self,
        event_type: &'static str,
        name: impl Into<Arc<str>>,
        listener: impl Fn(&T, &Occurrence<'_>) -> Result<(), BoxError> + Send + Sync + 'static,
    ) -> Registration {
        let hears = Hears::Values(TypeId::of::<T>(), EventType::from_store(event_type));
        let on_value: ValueCall<T> = Arc::new(listener);
        let on_payload = Arc::clone(&on_value);
        let call = move |occurrence: &Occurrence<'_>| on_payload(&*occurrence.decode::<T>()?, occurrence);
        self.register(|id| Listener::new(id, name.into(), hears, call).with_value_call(on_value))
    }

    /// Listens to all events whose type matches.
    pub fn on_types(
        &self,
        name: impl Into<Arc<str>>,
        types: Patterns,
        listener: impl Fn(&Occurrence<'_>) -> Result<(), BoxError> + Send + Sync + 'static,
    ) -> Registration {
        self.register(|id| Listener::new(id, name.into(), Hears::Types(types), listener))
    }

    fn register(&self, listener: impl FnOnce(u64) -> Listener) -> Registration {
        let mut registry = self.shared.registry();
        let id = registry.add(|id| Arc::new(listener(id)));
        let outdated = self.shared.plans.swap(registry.publish());
        drop(registry);
        drop(outdated);
        Registration::new(&self.shared, id)
    }

    /// Calls the listeners of a value: nothing is stored, and unless a listener asks for the payload nothing is
    /// serialised. `event_type` as for [`Self::on_values`].
    pub fn emit_value<T: Serialize + 'static>(&self, event_type: &'static str, tenant: &TenantId, value: &T) {
        match self.shared.plans.load().of_values(TypeId::of::<T>()) {
            Some(plan) => self.shared.enter(plan, tenant, || plan.run_value(tenant, value)),
            None => {
                let plan = self.shared.plan(|registry| registry.plan_of_values::<T>(EventType::from_store(event_type)));
                self.shared.enter(&plan, tenant, || plan.run_value(tenant, value));
            }
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
            Some(plan) => self.shared.enter(plan, tenant, || plan.run(tenant, source)),
            None => {
                let plan = self.shared.plan(|registry| registry.plan_of_type(event_type));
                self.shared.enter(&plan, tenant, || plan.run(tenant, source));
            }
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

    /// A plan that is not among those published yet.
    #[cold]
    fn plan(&self, find: impl FnOnce(&mut Registry) -> Arc<Plan>) -> Arc<Plan> {
        let mut registry = self.registry();
        let plan = find(&mut registry);
        if registry.is_worth_publishing() {
            // What is outdated holds no listener that the registry does not hold too: none is dropped here.
            self.plans.store(registry.publish());
        }
        plan
    }

    /// Carries out a plan, unless listeners that emit have called each other too deep.
    #[inline]
    fn enter(&self, plan: &Plan, tenant: &TenantId, run: impl FnOnce()) {
        match Depth::enter() {
            Some(_deeper) => run(),
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

impl fmt::Debug for Inline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inline").field("stats", &self.stats()).finish()
    }
}

#[cfg(test)]
mod tests;
