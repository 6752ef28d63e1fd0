use std::{
    any::Any,
    cell::{OnceCell, RefCell},
    fmt,
    rc::Rc,
    sync::Arc,
};

use busway_core::{Error, ErrorKind, Event, EventType, Payload, Result, TenantId};
use serde::de::DeserializeOwned;

/// What an inline listener is called with, whether a value was emitted or an event stored.
pub struct Occurrence<'a> {
    event_type: &'a EventType,
    tenant: &'a TenantId,
    source: Source<'a>,
    made: &'a MadeOnce,
}

/// Made when a listener asks for more than there is.
#[derive(Default)]
pub(super) struct MadeOnce(OnceCell<Box<Made>>);

/// Where an occurrence comes from.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    /// An emitted value, and how to serialise it.
    Value { value: &'a dyn Any, payload: fn(&dyn Any) -> Option<Result<Payload>> },
    /// An emitted payload.
    Payload(&'a Payload),
    /// A stored event.
    Stored(&'a Arc<Event>),
}

/// What listeners asked for, kept for the next one.
#[derive(Default)]
struct Made {
    payload: OnceCell<Result<Payload, String>>,
    decoded: RefCell<Vec<Rc<dyn Any>>>,
}

impl<'a> Occurrence<'a> {
    #[inline]
    pub(super) fn new(event_type: &'a EventType, tenant: &'a TenantId, source: Source<'a>, made: &'a MadeOnce) -> Self {
        Self { event_type, tenant, source, made }
    }

    /// What happened.
    pub fn event_type(&self) -> &EventType {
        self.event_type
    }

    /// Whose it is.
    pub fn tenant(&self) -> &TenantId {
        self.tenant
    }

    /// The event, if it was published and not only emitted.
    pub fn event(&self) -> Option<&Arc<Event>> {
        match self.source {
            Source::Stored(event) => Some(event),
            _ => None,
        }
    }

    /// The value, if one of this Rust type was emitted.
    pub fn value<T: 'static>(&self) -> Option<&T> {
        match self.source {
            Source::Value { value, .. } => value.downcast_ref(),
            _ => None,
        }
    }

    /// The payload; an emitted value is serialised when the first listener asks. `InvalidEvent` if it does not
    /// serialise to a JSON object.
    pub fn payload(&self) -> Result<&Payload> {
        let (value, payload) = match self.source {
            Source::Stored(event) => return Ok(&event.payload),
            Source::Payload(payload) => return Ok(payload),
            Source::Value { value, payload } => (value, payload),
        };
        let made = self.made().payload.get_or_init(|| match payload(value) {
            Some(payload) => payload.map_err(|error| error.detail().into()),
            None => Err("the value is of another type".into()),
        });
        made.as_ref().map_err(|detail| Error::new(ErrorKind::InvalidEvent, detail))
    }

    /// The payload as a `T` (a `serde_json::Value`, for one), decoded when the first listener asks for it.
    /// `InvalidEvent` if it is no `T`.
    pub fn decode<T: DeserializeOwned + 'static>(&self) -> Result<Rc<T>> {
        let decoded = &self.made().decoded;
        let known = decoded.borrow().iter().find_map(|value| Rc::clone(value).downcast::<T>().ok());
        if let Some(known) = known {
            return Ok(known);
        }
        let value = self.payload()?.parse::<T>().map(Rc::new).map_err(|error| {
            let detail = format!("the payload is no {}: {error}", std::any::type_name::<T>());
            Error::new(ErrorKind::InvalidEvent, detail).with_source(error)
        })?;
        decoded.borrow_mut().push(Rc::clone(&value) as Rc<dyn Any>);
        Ok(value)
    }

    fn made(&self) -> &Made {
        self.made.0.get_or_init(Box::default)
    }
}

impl fmt::Debug for Occurrence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.event().map(|event| event.id);
        f.debug_struct("Occurrence")
            .field("event_type", self.event_type)
            .field("tenant", self.tenant)
            .field("id", &id)
            .finish_non_exhaustive()
    }
}
