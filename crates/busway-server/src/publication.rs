//! What a call adds to the events that it brings, and how their faults are told.

use axum::http::HeaderMap;
use busway_core::{Error, ErrorKind, FieldError, NewEvent, Result, TenantId};
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{problem::Problem, query::bad_query};

/// Ids made from an `Idempotency-Key` are UUIDs of version 5 under this. It must never change, or a repeated
/// call would no longer be known as one.
const IDS_BY_KEY: Uuid = Uuid::from_u128(0x6275_7377_6179_5000_8000_6964_656d_6b79);
/// Longest `Idempotency-Key`, in bytes.
const MAX_KEY: usize = 256;

/// The call's `Idempotency-Key`.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<&[u8]>, Problem> {
    let mut values = headers.get_all("idempotency-key").iter();
    match (values.next().map(|value| value.as_bytes()), values.next()) {
        (None, _) => Ok(None),
        (Some(key), None) if (1..=MAX_KEY).contains(&key.len()) => Ok(Some(key)),
        (Some(key), None) => {
            Err(bad_query(format!("`Idempotency-Key` has {} bytes; 1 to {MAX_KEY} are allowed", key.len())))
        }
        (Some(_), Some(_)) => Err(bad_query("`Idempotency-Key` is there more than once")),
    }
}

/// Gives every event without an id one made from (tenant, key, index), so that a repeated call is recognised.
pub(crate) fn fill_ids(events: &mut [NewEvent], default_tenant: &TenantId, key: &[u8]) {
    for (index, event) in events.iter_mut().enumerate().filter(|(_, event)| event.id.is_none()) {
        let tenant = event.tenant.as_ref().unwrap_or(default_tenant).as_str().as_bytes();
        // Neither a tenant nor a header's value can hold a NUL.
        let name = [tenant, key, index.to_string().as_bytes()].join(&0);
        event.id = Some(Uuid::new_v5(&IDS_BY_KEY, &name));
    }
}

/// Makes every event the tenant's that the call names; an event that names another is refused.
pub(crate) fn bind(events: &mut [NewEvent], tenant: &TenantId) -> Result<()> {
    let is_single = events.len() == 1;
    let mut faults = Vec::new();
    for (index, event) in events.iter_mut().enumerate() {
        match event.tenant.get_or_insert_with(|| tenant.clone()) {
            own if own == tenant => {}
            other => {
                let detail = format!("is `{other}`, but the call is for `{tenant}`");
                let fault = FieldError::new("/tenantId", "other_tenant", detail);
                faults.push(FieldError { index: (!is_single).then_some(index), ..fault });
            }
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(Error::invalid(ErrorKind::InvalidEvent, faults)) }
}

/// A refused publication; its sentence says which events are at fault, and that nothing was stored.
pub(crate) fn refused(error: Error, body: &str) -> Problem {
    let mut indexes: Vec<usize> = error.fields().iter().filter_map(|fault| fault.index).collect();
    indexes.dedup();
    let sent = || serde_json::from_str::<Vec<&RawValue>>(body).unwrap_or_default();
    let detail = match *indexes {
        [] if error.fields().is_empty() => return error.into(),
        [] => error.detail().to_owned(),
        [index] => {
            let event_type = sent().get(index).and_then(|event| type_of(event));
            let named = event_type.map(|name| format!(", {name}")).unwrap_or_default();
            format!("event {} of {}{named}", index + 1, sent().len())
        }
        [first, ..] => format!("{} of {} events, the first of them event {}", indexes.len(), sent().len(), first + 1),
    };
    Problem::from(error).saying(format!("{detail}; nothing was stored"))
}

/// The type that an event names, if it can be read and is short.
fn type_of(event: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Typed {
        #[serde(rename = "type")]
        event_type: String,
    }

    let Typed { event_type } = serde_json::from_str(event.get()).ok()?;
    (event_type.len() <= 200).then_some(event_type)
}

#[cfg(test)]
mod tests {
    use busway_core::wire;

    use super::*;

    fn detail(body: &str) -> String {
        let problem = refused(wire::parse_batch(body).unwrap_err(), body).to_json();
        serde_json::from_str::<serde_json::Value>(&problem).unwrap()["detail"].as_str().unwrap().to_owned()
    }

    #[test]
    fn the_sentence_names_the_event_at_fault() {
        insta::assert_snapshot!(detail(r#"[{"type":"a"},{"type":"b.c","key":7},{"type":"d"}]"#), @"event 2 of 3, b.c; nothing was stored");
        insta::assert_snapshot!(detail(r#"[{"type":"a"},{},{"type":"d"},{"typ":"d"}]"#), @"2 of 4 events, the first of them event 2; nothing was stored");
        insta::assert_snapshot!(detail(r#"{"type":"b.c","key":7}"#), @"/key must be a string, not a number; nothing was stored");
    }

    #[test]
    fn a_key_gives_missing_ids_that_differ_by_tenant_key_and_index() {
        let ids = |body: &str, key: &[u8]| {
            let mut events = wire::parse_batch(body).unwrap();
            fill_ids(&mut events, &TenantId::new("default").unwrap(), key);
            events.iter().map(|event| event.id.unwrap()).collect::<Vec<_>>()
        };
        let two = ids(r#"[{"type":"a"},{"type":"a"}]"#, b"k");
        assert_ne!(two[0], two[1]);
        assert_eq!(ids(r#"{"type":"a","tenantId":"default"}"#, b"k"), [two[0]]);
        assert_ne!(ids(r#"{"type":"a"}"#, b"other"), [two[0]]);
        assert_ne!(ids(r#"{"type":"a","tenantId":"acme"}"#, b"k"), [two[0]]);
        insta::assert_snapshot!(two[0], @"9523b452-b3e6-5f58-b9da-0be31c909902");
        let own = "019a2c44-7d30-7c4e-9f0e-5a2b8c1d3e4f";
        assert_eq!(ids(&format!(r#"{{"type":"a","id":"{own}"}}"#), b"k")[0].to_string(), own);
    }
}
