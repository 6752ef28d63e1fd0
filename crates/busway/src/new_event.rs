use std::fmt::Display;

use busway_core::{
    Error, EventType as TypeName, Key, Metadata, NewEvent as RawNewEvent, Payload as Json, TenantId, Timestamp,
};
use serde::Serialize;
use uuid::Uuid;

use crate::EventType;

/// An event on its way in. Every [`EventType`] turns into one; what is wrong with it is told when it is
/// published.
#[derive(Debug)]
pub struct NewEvent {
    content: Result<RawNewEvent, Error>,
}

impl NewEvent {
    /// An event of a type known by its name alone, such as
    /// `NewEvent::new("ticket.created", json!({"id": 1}))`. The payload must be a JSON object.
    pub fn new(event_type: impl AsRef<str>, payload: impl Serialize) -> Self {
        Self::made(event_type.as_ref(), &payload)
    }

    fn made(event_type: &str, payload: &impl Serialize) -> Self {
        let content = TypeName::new(event_type)
            .and_then(|event_type| Json::of(payload).map(|payload| RawNewEvent::new(event_type, payload)));
        Self { content }
    }

    /// The same event of this tenant.
    pub fn tenant(self, tenant: impl AsRef<str>) -> Self {
        self.change(|event| {
            event.tenant = Some(TenantId::new(tenant.as_ref())?);
            Ok(())
        })
    }

    /// The same event with this ordering key in place of its own.
    pub fn key(self, key: impl Display) -> Self {
        self.change(|event| {
            event.key = Some(Key::new(key.to_string())?);
            Ok(())
        })
    }

    /// The same event under the caller's id: a second event of the tenant with it is acknowledged as a duplicate
    /// and delivered to nobody.
    pub fn id(self, id: Uuid) -> Self {
        self.change(|event| {
            event.id = Some(id);
            Ok(())
        })
    }

    /// The same event with the time it happened, where that is not the time it is published.
    pub fn at(self, time: Timestamp) -> Self {
        self.change(|event| {
            event.time = Some(time);
            Ok(())
        })
    }

    /// The same event with a `correlationId`, which every event caused by it inherits.
    pub fn correlation(self, id: impl Display) -> Self {
        self.metadata("correlationId", id)
    }

    /// The same event with who did it: `actorType` (`user`, `system`) and `actorId`.
    pub fn actor(self, actor_type: impl Display, actor_id: impl Display) -> Self {
        self.metadata("actorType", actor_type).metadata("actorId", actor_id)
    }

    /// The same event with one more text in its metadata.
    pub fn metadata(self, name: &str, text: impl Display) -> Self {
        self.change(|event| {
            let mut map = event.metadata.to_map();
            map.insert(name.into(), text.to_string().into());
            event.metadata = Metadata::from_map(map)?;
            Ok(())
        })
    }

    fn change(self, change: impl FnOnce(&mut RawNewEvent) -> Result<(), Error>) -> Self {
        let content = self.content.and_then(|mut event| change(&mut event).map(|()| event));
        Self { content }
    }

    /// The event, unless something is wrong with it.
    pub(crate) fn into_raw(self) -> Result<RawNewEvent, Error> {
        self.content
    }
}

impl<T: EventType> From<T> for NewEvent {
    fn from(payload: T) -> Self {
        let event = Self::made(T::NAME, &payload);
        match payload.key() {
            Some(key) => event.key(key),
            None => event,
        }
    }
}

impl From<RawNewEvent> for NewEvent {
    fn from(event: RawNewEvent) -> Self {
        Self { content: Ok(event) }
    }
}
