use std::sync::Arc;

use busway_core::{
    Body, Error, ErrorKind, Event, EventType, FieldError, Key, Metadata, NewEvent, OutboxRow, Payload, TenantId,
    Timestamp, Undecodable,
};
use serde_json::{Value, json, value::RawValue};

/// Longest text of a refused row that its dead letter repeats, in bytes.
const TOLD: usize = 256 << 10;

/// The event that a row tells of; the error names every field at fault.
pub(super) fn read(row: &OutboxRow) -> Result<NewEvent, Error> {
    let mut faults = Vec::new();
    let event_type = checked(&mut faults, EventType::new(row.event_type.as_deref().unwrap_or_default()));
    let tenant = optional(&mut faults, row.tenant.as_deref(), TenantId::new);
    let key = optional(&mut faults, row.key.as_deref(), Key::new);
    let payload = checked(&mut faults, Payload::from_json(row.payload.as_deref().unwrap_or("null")));
    let metadata = optional(&mut faults, row.metadata.as_deref(), Metadata::from_json);
    match (event_type, payload) {
        (Some(event_type), Some(payload)) if faults.is_empty() => {
            let metadata = metadata.unwrap_or_default();
            Ok(NewEvent { id: Some(row.id), event_type, tenant, key, time: row.time, payload, metadata })
        }
        _ => Err(Error::invalid(ErrorKind::InvalidEvent, faults)),
    }
}

fn checked<T>(faults: &mut Vec<FieldError>, read: Result<T, Error>) -> Option<T> {
    read.map_err(|error| faults.extend(error.into_fields())).ok()
}

fn optional<'a, T>(
    faults: &mut Vec<FieldError>,
    text: Option<&'a str>,
    read: impl FnOnce(&'a str) -> Result<T, Error>,
) -> Option<T> {
    text.and_then(|text| checked(faults, read(text)))
}

/// What a refused row is in its dead letter: an event whose payload can be edited, if that may help.
pub(super) fn body(row: &OutboxRow, default_tenant: &TenantId, now: Timestamp, error: &Error) -> Body {
    event(row, default_tenant, now).map_or_else(|| Body::Undecodable(undecodable(row, error)), Body::Event)
}

fn event(row: &OutboxRow, default_tenant: &TenantId, now: Timestamp) -> Option<Arc<Event>> {
    let metadata = row.metadata.as_deref().unwrap_or("{}");
    let is_object = metadata.len() <= TOLD && Payload::from_json(metadata).is_ok();
    Some(Arc::new(Event {
        id: row.id,
        event_type: EventType::new(row.event_type.as_deref()?).ok()?,
        tenant: row.tenant.as_deref().map_or_else(|| Ok(default_tenant.clone()), TenantId::new).ok()?,
        key: row.key.as_deref().map(Key::new).transpose().ok()?,
        time: row.time.unwrap_or(now),
        payload: payload(row.payload.as_deref()),
        metadata: is_object.then(|| Metadata::from_store(metadata))?,
    }))
}

/// A payload as it came where it is JSON, so that it is refused again unless it is edited; else as a JSON string.
fn payload(text: Option<&str>) -> Payload {
    let text = text.unwrap_or("null");
    match serde_json::from_str::<&RawValue>(text) {
        Ok(json) if text.len() <= TOLD => Payload::from_store(json.get()),
        _ => Payload::from_store(Value::from(beginning(text)).to_string()),
    }
}

fn undecodable(row: &OutboxRow, error: &Error) -> Undecodable {
    let told = |text: &Option<String>| text.as_deref().map(beginning);
    let shown = json!({
        "id": row.id,
        "type": told(&row.event_type),
        "tenantId": told(&row.tenant),
        "key": told(&row.key),
        "time": row.time,
        "payload": told(&row.payload),
        "metadata": told(&row.metadata),
    });
    Undecodable { raw: shown.to_string().into_bytes().into(), error: error.detail().to_owned() }
}

/// A text that is too long to be repeated is cut.
fn beginning(text: &str) -> String {
    if text.len() <= TOLD {
        return text.to_owned();
    }
    let mut cut = 1_000;
    while !text.is_char_boundary(cut) {
        cut -= 1;
    }
    format!("{}…", &text[..cut])
}
