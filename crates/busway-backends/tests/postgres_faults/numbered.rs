//! Numbered events.

use busway_core::{Event, EventType, Key, NewEvent, Payload, TenantId};

/// An event that bears a number.
pub(crate) fn event(n: u64, key: &str) -> NewEvent {
    let payload = Payload::from_json(format!("{{\"n\":{n}}}")).unwrap();
    let event = NewEvent::new(EventType::new("made").unwrap(), payload);
    event.with_tenant(TenantId::new("acme").unwrap()).with_key(Key::new(key).unwrap())
}

/// The number that an event bears.
pub(crate) fn number(event: &Event) -> u64 {
    let text = event.payload.as_str();
    text.trim_start_matches("{\"n\":").trim_end_matches('}').parse().unwrap_or_else(|_| panic!("no number in {text}"))
}
