use std::{
    any::{Any, TypeId},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use busway_core::{BoxError, EventType, Patterns};

use super::{Occurrence, latency::Latency};

/// What a listener wants to hear.
pub(super) enum Hears {
    /// Values of a Rust type, which are the payloads of this event type.
    Values(TypeId, EventType),
    /// Events of these types.
    Types(Patterns),
}

impl Hears {
    /// True if it wants events of this type: emitted values of `rust_type`, or payloads if that is `None`.
    pub(super) fn wants(&self, event_type: &EventType, rust_type: Option<TypeId>) -> bool {
        match (self, rust_type) {
            (Self::Values(wanted, _), Some(rust_type)) => *wanted == rust_type,
            (Self::Values(_, wanted), None) => wanted == event_type,
            (Self::Types(types), _) => types.matches(event_type),
        }
    }
}

/// What a listener is called by.
type Call = dyn Fn(&Occurrence<'_>) -> Result<(), BoxError> + Send + Sync;

/// What a listener to values is called by when a value is emitted.
pub(super) type ValueCall<T> = Arc<dyn Fn(&T, &Occurrence<'_>) -> Result<(), BoxError> + Send + Sync>;

/// A listener.
pub(super) struct Listener {
    pub(super) id: u64,
    pub(super) name: Arc<str>,
    pub(super) hears: Hears,
    pub(super) failed: AtomicU64,
    pub(super) latency: Latency,
    call: Box<Call>,
    /// A `ValueCall`, if it listens to values.
    value_call: Option<Box<dyn Any + Send + Sync>>,
}

impl Listener {
    pub(super) fn new(
        id: u64,
        name: Arc<str>,
        hears: Hears,
        call: impl Fn(&Occurrence<'_>) -> Result<(), BoxError> + Send + Sync + 'static,
    ) -> Self {
        let (failed, latency) = (AtomicU64::new(0), Latency::default());
        Self { id, name, hears, failed, latency, call: Box::new(call), value_call: None }
    }

    pub(super) fn with_value_call<T: 'static>(self, call: ValueCall<T>) -> Self {
        Self { value_call: Some(Box::new(call)), ..self }
    }

    /// How it is called with a value; `None` if it does not listen to values of the type.
    pub(super) fn value_call<T: 'static>(&self) -> Option<ValueCall<T>> {
        self.value_call.as_ref()?.downcast_ref().cloned()
    }

    /// Calls it; to be done within [`Self::run`].
    #[inline]
    pub(super) fn call(&self, occurrence: &Occurrence<'_>) -> Result<(), BoxError> {
        (self.call)(occurrence)
    }

    /// Runs a call of the listener; whatever fails ends here.
    #[inline]
    pub(super) fn run(&self, occurrence: &Occurrence<'_>, call: impl FnOnce() -> Result<(), BoxError>) {
        // A listener that is in a broken state after a panic is as its author left it, in every later call too.
        match catch_unwind(AssertUnwindSafe(call)) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.report(occurrence, Failure::Error(error)),
            Err(panic) => self.report(occurrence, Failure::Panic(panic)),
        }
    }

    #[cold]
    fn report(&self, occurrence: &Occurrence<'_>, failure: Failure) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        // An error's own code may panic, as it is written and as it is dropped.
        let written = catch_unwind(AssertUnwindSafe(move || {
            let text = failure.to_string();
            drop(failure);
            text
        }));
        let error = written.unwrap_or_else(|panic| {
            // So may what it panics with.
            std::mem::forget(panic);
            "failed, and its error cannot be told".into()
        });
        tracing::error!(
            listener = &*self.name,
            event_type = occurrence.event_type().as_str(),
            tenant = occurrence.tenant().as_str(),
            event = occurrence.event().map(|event| tracing::field::display(event.id)),
            error,
            "inline listener failed",
        );
    }
}

enum Failure {
    Error(BoxError),
    Panic(Box<dyn Any + Send>),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Error(error) => error.fmt(f),
            Self::Panic(panic) => {
                let text = panic.downcast_ref::<&str>().copied();
                let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
                write!(f, "panicked: {}", text.unwrap_or("without a text"))
            }
        }
    }
}
