use std::{fmt, sync::Arc};

use serde_json::{Map, Value};

use crate::{Error, ErrorKind, FieldError};

/// Hops above which an event is refused: a loop.
const MAX_HOPS: u64 = 16;

/// What is said about an event beside its payload, a JSON object: `correlationId`, `causationId`,
/// `actorType`, `actorId`, `source`, `traceparent`, `hops`, and string extras.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Metadata(Option<Arc<str>>);

impl Metadata {
    /// Checked; the error names the field.
    pub fn from_map(map: Map<String, Value>) -> Result<Self, Error> {
        let mut faults = Vec::new();
        for (name, value) in &map {
            let pointer = format!("/metadata/{}", name.replace('~', "~0").replace('/', "~1"));
            match (name.as_str(), value) {
                ("hops", Value::Number(hops)) => match hops.as_u64() {
                    Some(hops) if hops <= MAX_HOPS => {}
                    Some(hops) => faults.push(FieldError::new(pointer, "loop", format!("{hops} is above {MAX_HOPS}: events that cause each other in a loop"))),
                    None => faults.push(FieldError::new(pointer, "out_of_range", "must be a whole number from 0")),
                },
                ("hops", _) => faults.push(FieldError::new(pointer, "wrong_type", "must be a whole number")),
                (_, Value::String(_)) => {}
                _ => faults.push(FieldError::new(pointer, "wrong_type", "must be a string")),
            }
        }
        if !faults.is_empty() {
            return Err(Error::invalid(ErrorKind::InvalidEvent, faults));
        }
        if map.is_empty() {
            return Ok(Self(None));
        }
        Ok(Self(Some(Value::Object(map).to_string().into())))
    }

    /// From JSON that was checked when it arrived; `{}` and an empty text are none.
    pub fn from_store(text: &str) -> Self {
        if text.is_empty() || text == "{}" { Self(None) } else { Self(Some(text.into())) }
    }

    /// The JSON text.
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or("{}")
    }

    /// True if nothing is said.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// As a JSON object.
    pub fn to_map(&self) -> Map<String, Value> {
        self.0.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// A string by name.
    pub fn get(&self, name: &str) -> Option<String> {
        self.0.as_ref()?;
        match self.to_map().remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// How many events caused each other before this one.
    pub fn hops(&self) -> u64 {
        self.0.as_ref().and_then(|_| self.to_map().get("hops").and_then(Value::as_u64)).unwrap_or(0)
    }

    /// The same with a string set.
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut map = self.to_map();
        map.insert(name.into(), value.into());
        Self(Some(Value::Object(map).to_string().into()))
    }

    /// The metadata of an event that this event's handler publishes: one hop further, the cause named, the
    /// correlation kept (the cause's id where there was none).
    pub fn caused_by(&self, cause: &crate::Event) -> Result<Self, Error> {
        let mut map = self.to_map();
        let before = cause.metadata.to_map();
        map.insert("causationId".into(), cause.id.to_string().into());
        let correlation = before.get("correlationId").cloned().unwrap_or_else(|| cause.id.to_string().into());
        map.entry("correlationId").or_insert(correlation);
        map.insert("hops".into(), (cause.metadata.hops() + 1).into());
        Self::from_map(map)
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
