use std::fmt::Write;

use crate::{Entry, Event, Timestamp};

/// Appends an entry's event as JSON; `null` for an entry that cannot be decoded.
pub fn write_event(out: &mut String, entry: &Entry) {
    match entry.event() {
        Some(event) => write_stored(out, event, entry.stored_at),
        None => out.push_str("null"),
    }
}

/// Appends an event as JSON: `id`, `type`, `tenantId`, `key` if it has one, `time`, `storedAt`, `payload` as it
/// came, `metadata` as it came.
pub fn write_stored(out: &mut String, event: &Event, stored_at: Timestamp) {
    out.reserve(event.size() + event.key.as_ref().map_or(0, |key| key.as_str().len()));
    let mut id = [0; uuid::fmt::Hyphenated::LENGTH];
    out.push_str(r#"{"id":""#);
    out.push_str(event.id.hyphenated().encode_lower(&mut id));
    out.push_str(r#"","type":"#);
    write_string(out, event.event_type.as_str());
    out.push_str(r#","tenantId":"#);
    write_string(out, event.tenant.as_str());
    if let Some(key) = &event.key {
        out.push_str(r#","key":"#);
        write_string(out, key.as_str());
    }
    write_time(out, r#","time":""#, event.time);
    write_time(out, r#"","storedAt":""#, stored_at);
    out.push_str(r#"","payload":"#);
    out.push_str(event.payload.as_str());
    out.push_str(r#","metadata":"#);
    out.push_str(event.metadata.as_str());
    out.push('}');
}

fn write_time(out: &mut String, before: &str, time: Timestamp) {
    out.push_str(before);
    // Writing to a `String` cannot fail.
    let _ = write!(out, "{time}");
}

/// Appends a JSON string.
fn write_string(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| byte < 0x20 || byte == b'"' || byte == b'\\') {
        out.push_str(&rest[..at]);
        let odd = rest.as_bytes()[at];
        let _ = match odd {
            b'"' | b'\\' => write!(out, "\\{}", char::from(odd)),
            _ => write!(out, "\\u{odd:04x}"),
        };
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out.push('"');
}
