use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    Body, Entry, Event, EventType, Key, LaneId, Metadata, Payload, TenantId, Timestamp, Undecodable,
    wire::{parse_event, write_event, write_stored},
};

fn event(key: Option<&str>) -> Event {
    Event {
        id: Uuid::from_u128(0x019a2c44_7d30_7c4e_9f0e_5a2b8c1d3e4f),
        event_type: EventType::new("shift.created").unwrap(),
        tenant: TenantId::new("acme").unwrap(),
        key: key.map(|key| Key::new(key).unwrap()),
        time: "2026-01-31T12:00:00Z".parse().unwrap(),
        payload: Payload::from_json("{ \"b\":1.0, \"a\":1e400 }").unwrap(),
        metadata: Metadata::default().with("actorType", "USER"),
    }
}

fn written(body: Body) -> String {
    let mut out = String::from("before ");
    let stored_at = Timestamp::from_millis(1_769_860_800_007);
    write_event(&mut out, &Entry { lane: LaneId(3), seq: 7, stored_at, body });
    out.strip_prefix("before ").unwrap().into()
}

#[test]
fn an_event_is_written_in_full() {
    assert_eq!(
        written(Body::Event(Arc::new(event(Some("s-118"))))),
        concat!(
            r#"{"id":"019a2c44-7d30-7c4e-9f0e-5a2b8c1d3e4f","type":"shift.created","tenantId":"acme","key":"s-118","#,
            r#""time":"2026-01-31T12:00:00.000Z","storedAt":"2026-01-31T12:00:00.007Z","#,
            r#""payload":{ "b":1.0, "a":1e400 },"metadata":{"actorType":"USER"}}"#,
        )
    );
}

#[test]
fn a_missing_key_is_left_out_and_missing_metadata_is_empty() {
    let bare = Event { metadata: Metadata::default(), payload: Payload::empty(), ..event(None) };
    let read: Value = serde_json::from_str(&written(Body::Event(Arc::new(bare)))).unwrap();
    assert_eq!(read["metadata"], json!({}));
    assert_eq!(read.get("key"), None);
}

#[test]
fn what_is_no_event_is_null() {
    assert_eq!(written(Body::Undecodable(Undecodable { raw: Arc::new([1]), error: "torn".into() })), "null");
}

proptest! {
    #[test]
    fn an_event_that_was_written_is_read_back(key in "[^\0]{1,60}", extra in "[^\0]{0,20}", payload in "[^\"\\\\\\x00-\\x1f]{0,20}") {
        let event = Event {
            metadata: Metadata::default().with("note", &extra),
            payload: Payload::from_json(format!("{{\"x\":  \"{payload}\"}}")).unwrap(),
            ..event(Some(&key))
        };
        let mut text = String::new();
        write_stored(&mut text, &event, event.time);
        let refused = parse_event(&text).unwrap_err();
        prop_assert_eq!(refused.fields()[0].code, "read_only");
        let read = parse_event(&text.replacen(&format!("\"storedAt\":\"{}\",", event.time), "", 1)).unwrap();
        prop_assert_eq!(read.id, Some(event.id));
        prop_assert_eq!(read.event_type, event.event_type);
        prop_assert_eq!(read.tenant, Some(event.tenant));
        prop_assert_eq!(read.key, event.key);
        prop_assert_eq!(read.time, Some(event.time));
        prop_assert_eq!(read.payload, event.payload);
        prop_assert_eq!(read.metadata, event.metadata);
    }
}
