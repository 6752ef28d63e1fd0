use std::{borrow::Cow, fmt};

use serde::de::{Deserializer as _, IgnoredAny, SeqAccess, Visitor};
use serde_json::{Deserializer, value::RawValue};
use uuid::Uuid;

use super::{Faults, each_member, is_json, kind, pointer, string, trim};
use crate::{
    Error, ErrorKind, EventType, FieldError, Key, Metadata, NewEvent, Payload, Result, TenantId, Timestamp, nearest,
};

/// Most events of one array.
pub const MAX_BATCH: usize = 1_000;
/// Most bytes of one event's JSON text, its spaces included.
pub const MAX_EVENT_BYTES: usize = 256 * 1024;

const FIELDS: [&str; 7] = ["id", "type", "tenantId", "key", "time", "payload", "metadata"];
const READ_ONLY: &str = "storedAt";
/// Fields that are looked for beside the metadata instead of inside.
const OF_METADATA: [&str; 7] =
    ["correlationId", "causationId", "actorType", "actorId", "source", "traceparent", "hops"];
/// What other systems call these fields.
const ELSEWHERE: [(&str, &str); 6] = [
    ("eventType", "type"),
    ("event", "type"),
    ("timestamp", "time"),
    ("tenant", "tenantId"),
    ("data", "payload"),
    ("body", "payload"),
];

/// Reads one event, whose faults are told without an index.
///
/// `BadRequest` if the text is not JSON, `TooLarge` above [`MAX_EVENT_BYTES`], else `InvalidEvent` with every
/// field at fault.
pub fn parse_event(json: &str) -> Result<NewEvent> {
    one(trim(json)).map_err(refused)
}

/// Reads a body that is one event or an array of 1 to [`MAX_BATCH`], all or none.
///
/// Errors as [`parse_event`], with the fields of all events at fault, by index where the body is an array;
/// `InvalidBody` for an array that is empty or too long.
pub fn parse_batch(json: &str) -> Result<Vec<NewEvent>> {
    let json = trim(json);
    if json.starts_with('[') { many(json) } else { one(json).map(|event| vec![event]).map_err(refused) }
}

/// Why a text is no event.
enum Refusal {
    NotJson(serde_json::Error),
    Faults(Vec<FieldError>),
}

fn refused(refusal: Refusal) -> Error {
    match refusal {
        Refusal::NotJson(error) => Error::new(ErrorKind::BadRequest, format!("the body is not JSON: {error}")),
        Refusal::Faults(faults) => {
            let too_large = faults.iter().any(|fault| fault.code == TOO_LARGE);
            Error::invalid(if too_large { ErrorKind::TooLarge } else { ErrorKind::InvalidEvent }, faults)
        }
    }
}

const TOO_LARGE: &str = "too_large";

fn one(json: &str) -> Result<NewEvent, Refusal> {
    let mut faults = Faults::default();
    if json.len() > MAX_EVENT_BYTES {
        is_json(json).map_err(Refusal::NotJson)?;
        let detail = format!("the event has {} bytes of JSON; at most {MAX_EVENT_BYTES} are allowed", json.len());
        faults.at("", TOO_LARGE, detail);
        return Err(Refusal::Faults(faults.into_fields()));
    }
    if !json.starts_with('{') {
        is_json(json).map_err(Refusal::NotJson)?;
        faults.at("", "not_an_object", format!("an event is a JSON object, not {}", kind(json)));
        return Err(Refusal::Faults(faults.into_fields()));
    }
    let fields = Fields::read(json, &mut faults).map_err(Refusal::NotJson)?;
    fields.into_event(&mut faults).filter(|_| faults.is_empty()).ok_or_else(|| Refusal::Faults(faults.into_fields()))
}

fn many(json: &str) -> Result<Vec<NewEvent>> {
    let mut deserializer = Deserializer::from_str(json);
    let items = deserializer.deserialize_seq(Items).and_then(|items| deserializer.end().map(|()| items));
    let (items, count) = items.map_err(|error| refused(Refusal::NotJson(error)))?;
    if !(1..=MAX_BATCH).contains(&count) {
        let detail = format!("the array has {count} events; 1 to {MAX_BATCH} are allowed");
        return Err(Error::invalid(ErrorKind::InvalidBody, vec![FieldError::new("", "wrong_length", detail)]));
    }
    let mut events = Vec::with_capacity(count);
    let mut faults = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        match one(item.get()) {
            Ok(event) => events.push(event),
            Err(Refusal::Faults(found)) => {
                faults.extend(found.into_iter().map(|fault| FieldError { index: Some(index), ..fault }));
            }
            Err(not_json) => return Err(refused(not_json)),
        }
    }
    if faults.is_empty() { Ok(events) } else { Err(refused(Refusal::Faults(faults))) }
}

/// Takes apart an array: its first items, one more than are allowed at most, and how many there are.
struct Items;

impl<'a> Visitor<'a> for Items {
    type Value = (Vec<&'a RawValue>, usize);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while items.len() <= MAX_BATCH {
            match seq.next_element()? {
                Some(item) => items.push(item),
                None => {
                    let count = items.len();
                    return Ok((items, count));
                }
            }
        }
        let mut count = items.len();
        while seq.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok((items, count))
    }
}

/// The JSON texts of an event's fields.
#[derive(Default)]
struct Fields<'a>([Option<&'a str>; FIELDS.len()]);

impl<'a> Fields<'a> {
    fn read(json: &'a str, faults: &mut Faults) -> serde_json::Result<Self> {
        let mut fields = Self::default();
        each_member(json, |name, value| {
            let Some(name) = string(name) else {
                return faults.at(&pointer("", name), "not_unicode", "the name is not Unicode text");
            };
            match FIELDS.iter().position(|field| *field == name) {
                Some(field) if fields.0[field].is_none() => fields.0[field] = Some(value),
                Some(_) => faults.at(&pointer("", &name), "repeated_name", "is there twice"),
                None => faults.add(|| unknown(&name)),
            }
        })?;
        Ok(fields)
    }

    /// `None` if there is a fault without which there is no event to speak of; others are left to `faults`.
    fn into_event(self, faults: &mut Faults) -> Option<NewEvent> {
        let [id, event_type, tenant, key, time, payload, metadata] = self.0;
        let id = id.and_then(|json| text("/id", json, faults, uuid));
        let event_type = match event_type {
            Some(json) => text("/type", json, faults, |text| named(EventType::new(text))),
            None => {
                faults.at("/type", "required", "is missing; a type looks like `ticket.created`");
                None
            }
        };
        let tenant = tenant.and_then(|json| text("/tenantId", json, faults, |text| named(TenantId::new(text))));
        let key = key.and_then(|json| text("/key", json, faults, |text| named(Key::new(text))));
        let time = time.and_then(|json| {
            text("/time", json, faults, |text| {
                text.parse::<Timestamp>().map_err(|error| ("invalid_time", error.to_string()))
            })
        });
        let payload = match payload {
            Some(json) if json.starts_with('{') => Payload::from_store(json),
            Some(json) => {
                faults.at("/payload", "not_an_object", format!("must be a JSON object, not {}", kind(json)));
                Payload::empty()
            }
            None => Payload::empty(),
        };
        let metadata = match metadata.map(Metadata::from_json) {
            Some(Ok(metadata)) => metadata,
            Some(Err(error)) => {
                error.into_fields().into_iter().for_each(|fault| faults.add(|| fault));
                Metadata::default()
            }
            None => Metadata::default(),
        };
        Some(NewEvent { id, event_type: event_type?, tenant, key, time, payload, metadata })
    }
}

/// A rule that was broken: its code, and what is wrong.
type Broken = (&'static str, String);

/// What a field of text says, read by `read`.
fn text<T>(at: &str, json: &str, faults: &mut Faults, read: impl FnOnce(&str) -> Result<T, Broken>) -> Option<T> {
    let (code, detail) = match (kind(json), string(json)) {
        ("a string", Some(text)) => match read(&text) {
            Ok(value) => return Some(value),
            Err(broken) => broken,
        },
        ("a string", None) => ("not_unicode", "is not Unicode text: half of a surrogate pair".into()),
        ("null", _) => ("wrong_type", "must be a string, not null; leave it out instead".into()),
        (other, _) => ("wrong_type", format!("must be a string, not {other}")),
    };
    faults.at(at, code, detail);
    None
}

fn named<T>(name: Result<T>) -> Result<T, Broken> {
    name.map_err(|error| match error.into_fields().pop() {
        Some(fault) => (fault.code, fault.detail),
        None => ("invalid_name", "is no such name".into()),
    })
}

fn uuid(text: &str) -> Result<Uuid, Broken> {
    // Other spellings (braces, `urn:`, no hyphens) would be given back in this one.
    match (text.len(), Uuid::try_parse(text)) {
        (36, Ok(id)) => Ok(id),
        _ => Err((
            "invalid_uuid",
            "is no UUID like 019a2c44-7d30-7c4e-9f0e-5a2b8c1d3e4f; leave it out to have one made".into(),
        )),
    }
}

fn unknown(name: &str) -> FieldError {
    let at = pointer("", name);
    if name == READ_ONLY {
        return FieldError::new(at, "read_only", "is set by the store, when it takes the event");
    }
    let hint: Cow<'_, str> = if OF_METADATA.contains(&name) {
        format!("; it belongs into `metadata`: /metadata/{name}").into()
    } else if let Some((_, meant)) = ELSEWHERE.iter().find(|(elsewhere, _)| *elsewhere == name) {
        format!("; did you mean `{meant}`?").into()
    } else if let Some(meant) = nearest(name, FIELDS, 1).first() {
        format!("; did you mean `{meant}`?").into()
    } else {
        format!("; an event has {}", FIELDS.join(", ")).into()
    };
    FieldError::new(at, "unknown_field", format!("is no field of an event{hint}"))
}
