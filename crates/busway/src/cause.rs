use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use busway_core::{Error, Event as RawEvent, NewEvent as RawNewEvent, Payload as Json};
use serde_json::Value;
use uuid::Uuid;

/// The delivery that a listener's own events come from. Their ids follow from it, so that a repeated delivery
/// publishes nothing twice.
#[derive(Debug)]
pub(crate) struct Cause {
    event: Arc<RawEvent>,
    listener: Arc<str>,
    equals: Mutex<HashMap<Uuid, Numbers>>,
}

/// Numbers for equal events of one delivery; one that was not used is given again.
#[derive(Debug, Default)]
struct Numbers {
    next: u32,
    returned: Vec<u32>,
}

impl Cause {
    pub(crate) fn event(&self) -> &Arc<RawEvent> {
        &self.event
    }

    /// The name of the listener among those of every owner.
    pub(crate) fn listener(&self) -> &Arc<str> {
        &self.listener
    }

    pub(crate) fn new(event: Arc<RawEvent>, listener: Arc<str>) -> Self {
        Self { event, listener, equals: Mutex::default() }
    }

    /// Names the cause in an event and gives it its id, unless it brings its own.
    pub(crate) fn stamp<'a>(&'a self, event: &mut RawNewEvent) -> Result<Stamp<'a>, Error> {
        event.metadata = event.metadata.caused_by(&self.event)?;
        if event.id.is_some() {
            return Ok(Stamp { cause: self, number: None });
        }
        let content = Uuid::new_v5(&self.event.id, &self.content(event));
        let mut equals = self.equals();
        let numbers = equals.entry(content).or_default();
        let number = numbers.returned.pop().unwrap_or_else(|| {
            numbers.next += 1;
            numbers.next - 1
        });
        event.id = Some(Uuid::new_v5(&content, &number.to_be_bytes()));
        Ok(Stamp { cause: self, number: Some((content, number)) })
    }

    /// Listener, type, key and payload, so that no two contents have the same bytes.
    fn content(&self, event: &RawNewEvent) -> Vec<u8> {
        let mut bytes = Vec::new();
        for text in [&*self.listener, event.event_type.as_str(), event.key.as_ref().map_or("", |key| key.as_str())] {
            put_text(&mut bytes, text);
        }
        put_json(&mut bytes, &event.payload);
        bytes
    }

    fn equals(&self) -> MutexGuard<'_, HashMap<Uuid, Numbers>> {
        self.equals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A number among equals, given back unless the event is stored: its repeat must bear the same id.
#[derive(Debug)]
pub(crate) struct Stamp<'a> {
    cause: &'a Cause,
    number: Option<(Uuid, u32)>,
}

impl Stamp<'_> {
    pub(crate) fn stored(mut self) {
        self.number = None;
    }
}

impl Drop for Stamp<'_> {
    fn drop(&mut self) {
        if let Some((content, number)) = self.number.take() {
            self.cause.equals().entry(content).or_default().returned.push(number);
        }
    }
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

/// The same bytes for the same payload, in whatever order a hash map gave its fields this time.
fn put_json(bytes: &mut Vec<u8>, payload: &Json) {
    match payload.parse::<Value>() {
        Ok(value) => put_value(bytes, &value),
        Err(_) => put_text(bytes, payload.as_str()),
    }
}

fn put_value(bytes: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Object(map) => {
            let mut fields: Vec<_> = map.iter().collect();
            fields.sort_unstable_by_key(|(name, _)| *name);
            bytes.push(b'{');
            bytes.extend_from_slice(&(fields.len() as u64).to_be_bytes());
            for (name, value) in fields {
                put_text(bytes, name);
                put_value(bytes, value);
            }
        }
        Value::Array(items) => {
            bytes.push(b'[');
            bytes.extend_from_slice(&(items.len() as u64).to_be_bytes());
            items.iter().for_each(|item| put_value(bytes, item));
        }
        Value::String(text) => {
            bytes.push(b'"');
            put_text(bytes, text);
        }
        plain => {
            bytes.push(b'=');
            put_text(bytes, &plain.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use busway_core::{EventType, Key, Metadata, TenantId, Timestamp};

    use super::*;

    fn cause(listener: &str) -> Cause {
        let event = RawEvent {
            id: Uuid::from_u128(7),
            event_type: EventType::from_store("ticket.created"),
            tenant: TenantId::from_store("acme"),
            key: None,
            time: Timestamp::default(),
            payload: Json::empty(),
            metadata: Metadata::default().with("correlationId", "order-1"),
        };
        Cause::new(Arc::new(event), listener.into())
    }

    fn event(json: &str) -> RawNewEvent {
        RawNewEvent::new(EventType::from_store("mail.sent"), Json::from_json(json).unwrap())
    }

    fn id_by(cause: &Cause, mut event: RawNewEvent) -> Uuid {
        cause.stamp(&mut event).unwrap().stored();
        event.id.unwrap()
    }

    #[test]
    fn a_repeated_delivery_gives_the_same_ids_in_whatever_order() {
        let (one, two) = (r#"{"to":"ada"}"#, r#"{"to":"bo"}"#);
        let first = cause("greet");
        let first = [id_by(&first, event(one)), id_by(&first, event(two)), id_by(&first, event(one))];
        let second = cause("greet");
        let second = [id_by(&second, event(two)), id_by(&second, event(one)), id_by(&second, event(one))];
        assert_eq!(first, [second[1], second[0], second[2]]);
        assert_ne!(first[0], first[2]);
    }

    #[test]
    fn the_order_of_the_fields_is_no_matter_and_the_content_is() {
        let id = |json| id_by(&cause("greet"), event(json));
        assert_eq!(id(r#"{"a":1,"b":[{"c":2,"d":3}]}"#), id(r#"{ "b": [{"d":3,"c":2}], "a": 1 }"#));
        assert_ne!(id(r#"{"a":1}"#), id(r#"{"a":"1"}"#));
        assert_ne!(id(r#"{"a":[[1],2]}"#), id(r#"{"a":[[1,2]]}"#));
        let keyed = event("{}").with_key(Key::from_store("k"));
        assert_ne!(id_by(&cause("greet"), keyed), id("{}"));
        assert_ne!(id_by(&cause("other"), event("{}")), id("{}"));
    }

    #[test]
    fn an_event_that_was_not_stored_keeps_its_number_for_the_repeat() {
        let cause = cause("greet");
        let mut lost = event("{}");
        drop(cause.stamp(&mut lost).unwrap());
        assert_eq!(Some(id_by(&cause, event("{}"))), lost.id);
        assert_ne!(Some(id_by(&cause, event("{}"))), lost.id);
    }

    #[test]
    fn the_cause_is_named_and_the_correlation_kept() {
        let mut event = event("{}").with_id(Uuid::from_u128(9));
        cause("greet").stamp(&mut event).unwrap().stored();
        assert_eq!(event.id, Some(Uuid::from_u128(9)));
        assert_eq!(event.metadata.get("causationId"), Some(Uuid::from_u128(7).to_string()));
        assert_eq!(event.metadata.get("correlationId").as_deref(), Some("order-1"));
        assert_eq!(event.metadata.hops(), 1);
    }
}
