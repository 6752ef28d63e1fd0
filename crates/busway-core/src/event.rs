use std::{fmt, sync::Arc};

use serde::Serialize;
use uuid::Uuid;

use crate::{
    Error, ErrorKind, EventType, FieldError, Key, KeyId, LaneId, Metadata, Order, Seq, TenantId, Timestamp, TurnId,
    wire::{is_json, trim},
};

/// A JSON object, kept byte for byte as it came.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Payload(Arc<str>);

impl Payload {
    /// `{}`.
    pub fn empty() -> Self {
        Self("{}".into())
    }

    /// From JSON text that must be an object.
    pub fn from_json(text: impl AsRef<str>) -> Result<Self, Error> {
        let text = trim(text.as_ref());
        let fault = |code, detail: String| {
            Error::invalid(ErrorKind::InvalidEvent, vec![FieldError::new("/payload", code, detail)])
        };
        if !text.starts_with('{') {
            return Err(fault("not_an_object", "must be a JSON object".into()));
        }
        match is_json(text) {
            Ok(()) => Ok(Self(text.into())),
            Err(error) => Err(fault("not_json", format!("is not JSON: {error}"))),
        }
    }

    /// From a value that serialises to a JSON object.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, Error> {
        let fault = |detail: String| {
            Error::invalid(ErrorKind::InvalidEvent, vec![FieldError::new("/payload", "not_an_object", detail)])
        };
        let text =
            serde_json::to_string(value).map_err(|error| fault(format!("cannot be written as JSON: {error}")))?;
        if text.starts_with('{') { Ok(Self(text.into())) } else { Err(fault("must be a JSON object".into())) }
    }

    /// From JSON that was checked when it arrived.
    pub fn from_store(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The JSON text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The payload as a value of type `T`.
    pub fn parse<'a, T: serde::Deserialize<'a>>(&'a self) -> serde_json::Result<T> {
        serde_json::from_str(&self.0)
    }
}

impl Default for Payload {
    fn default() -> Self {
        Self::empty()
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An event on its way in: what a publisher says, the rest is filled in on arrival.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// Made (version 7) if missing.
    pub id: Option<Uuid>,
    /// What happened.
    pub event_type: EventType,
    /// The publisher's tenant, else the configured default, if missing.
    pub tenant: Option<TenantId>,
    /// What it is ordered by.
    pub key: Option<Key>,
    /// When it happened; the time of arrival if missing.
    pub time: Option<Timestamp>,
    /// What is told.
    pub payload: Payload,
    /// Correlation, cause, actor, source, extras.
    pub metadata: Metadata,
}

impl NewEvent {
    /// An event with a payload and nothing else said.
    pub fn new(event_type: EventType, payload: Payload) -> Self {
        Self { id: None, event_type, tenant: None, key: None, time: None, payload, metadata: Metadata::default() }
    }

    /// The same event with an ordering key.
    pub fn with_key(mut self, key: Key) -> Self {
        self.key = Some(key);
        self
    }

    /// The same event of a tenant.
    pub fn with_tenant(mut self, tenant: TenantId) -> Self {
        self.tenant = Some(tenant);
        self
    }

    /// The same event under the caller's id.
    pub fn with_id(mut self, id: Uuid) -> Self {
        self.id = Some(id);
        self
    }
}

/// An immutable fact, complete: what a log stores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Unique per tenant.
    pub id: Uuid,
    /// What happened.
    pub event_type: EventType,
    /// Whose event it is.
    pub tenant: TenantId,
    /// What it is ordered by, fixed at arrival.
    pub key: Option<Key>,
    /// When it happened; only shown, never reckoned with.
    pub time: Timestamp,
    /// What is told.
    pub payload: Payload,
    /// Correlation, cause, actor, source, extras.
    pub metadata: Metadata,
}

impl Event {
    /// About how many bytes the event takes, for windows and limits.
    pub fn size(&self) -> usize {
        self.payload.as_str().len() + self.metadata.as_str().len() + 200
    }
}

/// An event in its place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its lane.
    pub lane: LaneId,
    /// Its place in the lane.
    pub seq: Seq,
    /// When the store took it; rises with seq in a lane.
    pub stored_at: Timestamp,
    /// The event.
    pub body: Body,
}

/// The content of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// An event.
    Event(Arc<Event>),
    /// Something that is none, kept so that it can be dead-lettered.
    Undecodable(Undecodable),
}

/// What stands in a log in place of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undecodable {
    /// The bytes, or as much of them as the store gives.
    pub raw: Arc<[u8]>,
    /// Why it is no event.
    pub error: String,
}

impl Entry {
    /// The event, unless the entry cannot be decoded.
    pub fn event(&self) -> Option<&Arc<Event>> {
        match &self.body {
            Body::Event(event) => Some(event),
            Body::Undecodable(_) => None,
        }
    }

    /// What the entry is ordered by under `order`.
    pub fn key_id(&self, order: Order) -> KeyId {
        match self.event() {
            Some(event) => KeyId::of(&event.tenant, event.key.as_ref(), &event.event_type, self.seq, order),
            None => KeyId::solo(self.seq),
        }
    }

    /// Whose turn the entry belongs to.
    pub fn turn(&self) -> TurnId {
        self.event().map_or(TurnId(0), |event| TurnId::of(&event.tenant))
    }

    /// About how many bytes it takes.
    pub fn size(&self) -> usize {
        match &self.body {
            Body::Event(event) => event.size(),
            Body::Undecodable(undecodable) => undecodable.raw.len() + 200,
        }
    }
}
