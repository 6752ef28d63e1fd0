use busway_core::{Event as RawEvent, EventType as TypeName, Key, Metadata, TenantId, Timestamp};
use uuid::Uuid;

use crate::{Payload, Undecodable};

/// An event as a listener gets it, its payload read.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Event<P> {
    /// Unique per tenant.
    pub id: Uuid,
    /// What happened.
    pub event_type: TypeName,
    /// Whose event it is.
    pub tenant: TenantId,
    /// What it is ordered by.
    pub key: Option<Key>,
    /// When it happened, by its publisher's word.
    pub time: Timestamp,
    /// When it was stored.
    pub stored_at: Timestamp,
    /// What is told.
    pub payload: P,
    /// Correlation, cause, actor, source, extras.
    pub metadata: Metadata,
}

impl<P: Payload> Event<P> {
    /// Reads an event's payload.
    pub(crate) fn read(event: &RawEvent, stored_at: Timestamp) -> Result<Self, Undecodable> {
        Ok(Self {
            id: event.id,
            event_type: event.event_type.clone(),
            tenant: event.tenant.clone(),
            key: event.key.clone(),
            time: event.time,
            stored_at,
            payload: P::decode(&event.event_type, &event.payload)?,
            metadata: event.metadata.clone(),
        })
    }
}
