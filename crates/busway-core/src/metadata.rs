use std::{fmt, sync::Arc};

use serde_json::{Map, Value};

use crate::{
    Error, ErrorKind,
    wire::{Faults, each_member, kind, pointer, string, trim},
};

/// Hops above which an event is refused: a loop.
const MAX_HOPS: u64 = 16;
const AT: &str = "/metadata";

/// What is said about an event beside its payload, a JSON object: `correlationId`, `causationId`,
/// `actorType`, `actorId`, `source`, `traceparent`, `hops`, and string extras.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Metadata(Option<Arc<str>>);

impl Metadata {
    /// From JSON text that must be an object, kept byte for byte; the error names each field at fault.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        let text = trim(text);
        let mut faults = Faults::default();
        if text.starts_with('{') {
            let mut names = Vec::new();
            let read = each_member(text, |name, value| match string(name) {
                Some(name) => {
                    check(&name, value, &mut faults);
                    names.push(name);
                }
                None => faults.at(&pointer(AT, name), "not_unicode", "the name is not Unicode text"),
            });
            if let Err(error) = read {
                faults.at(AT, "not_json", format!("is not JSON: {error}"));
            } else if names.is_empty() && faults.is_empty() {
                return Ok(Self(None));
            }
            names.sort_unstable();
            names.windows(2).filter(|pair| pair[0] == pair[1]).for_each(|pair| {
                faults.at(&pointer(AT, &pair[0]), "repeated_name", "is there twice");
            });
        } else {
            faults.at(AT, "not_an_object", format!("must be a JSON object, not {}", kind(text)));
        }
        if faults.is_empty() {
            Ok(Self(Some(text.into())))
        } else {
            Err(Error::invalid(ErrorKind::InvalidEvent, faults.into_fields()))
        }
    }

    /// Checked; the error names each field at fault.
    pub fn from_map(map: Map<String, Value>) -> Result<Self, Error> {
        Self::from_json(&Value::Object(map).to_string())
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

fn check(name: &str, json: &str, faults: &mut Faults) {
    let (code, detail) = match (name, kind(json)) {
        ("hops", "a number") => match json.parse::<u64>() {
            Ok(hops) if hops <= MAX_HOPS => return,
            Ok(hops) => ("loop", format!("{hops} is above {MAX_HOPS}: events that cause each other in a loop")),
            Err(_) => ("out_of_range", format!("must be a whole number from 0 to {MAX_HOPS}")),
        },
        ("hops", other) => ("wrong_type", format!("must be a whole number, not {other}")),
        (_, "a string") => match string(json) {
            // Databases cannot look up a text with NUL.
            Some(text) if text.contains('\0') => ("invalid_text", "has a NUL character".into()),
            Some(_) => return,
            None => ("not_unicode", "is not Unicode text: half of a surrogate pair".into()),
        },
        (_, other) => ("wrong_type", format!("must be a string, not {other}")),
    };
    faults.at(&pointer(AT, name), code, detail);
}

#[cfg(test)]
mod tests;
