use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::{Event, EventType, Payload, TenantId, Timestamp};

fn faults(json: &str) -> Vec<(String, &'static str)> {
    let error = Metadata::from_json(json).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidEvent);
    error.into_fields().into_iter().map(|fault| (fault.pointer, fault.code)).collect()
}

fn event(metadata: Metadata) -> Event {
    Event {
        id: Uuid::from_u128(7),
        event_type: EventType::new("a").unwrap(),
        tenant: TenantId::new("acme").unwrap(),
        key: None,
        time: Timestamp::default(),
        payload: Payload::empty(),
        metadata,
    }
}

#[test]
fn the_text_is_kept_as_it_came() {
    let text = "{ \"zone\" : \"\\u0041\",\n\"hops\":16,\"actorType\":\"USER\"}";
    let metadata = Metadata::from_json(&format!(" {text}\n")).unwrap();
    assert_eq!(metadata.as_str(), text);
    assert_eq!(metadata.get("zone").as_deref(), Some("A"));
    assert_eq!(metadata.get("hops"), None);
    assert_eq!(metadata.hops(), 16);
}

#[test]
fn an_empty_object_is_nothing() {
    for text in ["{}", " { \n } "] {
        assert!(Metadata::from_json(text).unwrap().is_empty());
    }
    assert_eq!(Metadata::default().as_str(), "{}");
    assert_eq!(Metadata::from_store("{}"), Metadata::default());
}

#[test]
fn every_field_at_fault_is_named() {
    let json =
        r#"{"ok":"x","a/b~":1,"":null,"hops":"1","n":"\u0000","\ud800":"x","s":"\udfff","o":{},"l":[],"t":true}"#;
    let expected = [
        ("/metadata/a~1b~0", "wrong_type"),
        ("/metadata/", "wrong_type"),
        ("/metadata/hops", "wrong_type"),
        ("/metadata/n", "invalid_text"),
        ("/metadata/\"\\ud800\"", "not_unicode"),
        ("/metadata/s", "not_unicode"),
        ("/metadata/o", "wrong_type"),
        ("/metadata/l", "wrong_type"),
        ("/metadata/t", "wrong_type"),
    ];
    assert_eq!(faults(json), expected.map(|(pointer, code)| (pointer.into(), code)));
}

#[test]
fn hops_are_whole_and_end() {
    for hops in ["-1", "1.0", "1e0", "1.5", "1e400", "99999999999999999999"] {
        assert_eq!(faults(&format!("{{\"hops\":{hops}}}")), [("/metadata/hops".into(), "out_of_range")], "{hops}");
    }
    assert_eq!(faults("{\"hops\":17}"), [("/metadata/hops".into(), "loop")]);
    assert_eq!(Metadata::from_json("{\"hops\":0}").unwrap().hops(), 0);
}

#[test]
fn a_name_may_be_there_once() {
    assert_eq!(faults(r#"{"a":"1","b":"2","\u0061":"1"}"#), [("/metadata/a".into(), "repeated_name")]);
}

#[test]
fn what_is_no_object_is_refused() {
    for text in ["", "null", "[]", "\"x\"", "5"] {
        assert_eq!(faults(text), [("/metadata".into(), "not_an_object")], "{text:?}");
    }
    for text in ["{", "{\"a\"}", "{} x", "{\"a\":\"b\",}"] {
        assert_eq!(faults(text), [("/metadata".into(), "not_json")], "{text:?}");
    }
}

#[test]
fn very_many_faults_are_summed_up() {
    let json = format!("{{{}}}", (0..9_000).map(|n| format!("\"n{n}\":{n}")).collect::<Vec<_>>().join(","));
    let faults = Metadata::from_json(&json).unwrap_err().into_fields();
    assert_eq!(faults.len(), 33);
    assert_eq!(faults[32].detail, "and 8968 more");
}

#[test]
fn a_string_can_be_set() {
    let metadata = Metadata::default().with("actorType", "USER").with("note", "\"\\").with("note", "new");
    assert_eq!(metadata.as_str(), r#"{"actorType":"USER","note":"new"}"#);
}

#[test]
fn an_event_that_was_caused_names_its_cause_and_keeps_the_correlation() {
    let first = event(Metadata::default());
    let second = Metadata::default().with("source", "crm").caused_by(&first).unwrap();
    assert_eq!(second.get("causationId"), Some(first.id.to_string()));
    assert_eq!(second.get("correlationId"), Some(first.id.to_string()));
    assert_eq!(second.get("source").as_deref(), Some("crm"));
    assert_eq!(second.hops(), 1);
    let third = Metadata::default().caused_by(&Event { id: Uuid::from_u128(8), ..event(second) }).unwrap();
    assert_eq!(third.get("causationId"), Some(Uuid::from_u128(8).to_string()));
    assert_eq!(third.get("correlationId"), Some(first.id.to_string()));
    assert_eq!(third.hops(), 2);
}

#[test]
fn events_that_cause_each_other_end_after_sixteen_hops() {
    let last = event(Metadata::from_json("{\"hops\":16}").unwrap());
    assert_eq!(Metadata::default().caused_by(&last).unwrap_err().fields()[0].code, "loop");
}

proptest! {
    #[test]
    fn strings_come_back_as_they_were_set(name in "[^\0]{0,12}", value in "[^\0]{0,20}") {
        prop_assume!(name != "hops");
        let metadata = Metadata::default().with(&name, &value);
        prop_assert_eq!(metadata.get(&name), Some(value));
        prop_assert_eq!(&Metadata::from_json(metadata.as_str()).unwrap(), &metadata);
    }
}
