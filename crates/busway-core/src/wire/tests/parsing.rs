use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    Error, ErrorKind, NewEvent,
    wire::{MAX_BATCH, MAX_EVENT_BYTES, parse_batch, parse_event},
};

/// Index, pointer and code of each fault.
fn faults(error: &Error) -> Vec<(Option<usize>, &str, &str)> {
    error.fields().iter().map(|fault| (fault.index, &*fault.pointer, fault.code)).collect()
}

fn refused(json: &str) -> Error {
    let error = parse_event(json).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidEvent, "{json}");
    error
}

fn payload(json: &str) -> String {
    parse_event(&format!("{{\"type\":\"a\",\"payload\":{json}}}")).unwrap().payload.as_str().into()
}

#[test]
fn an_event_with_everything_is_read() {
    let event = parse_event(
        r#" {"id":"019A2C44-7d30-7c4e-9f0e-5a2b8c1d3e4f","type":"shift.signup.created","tenantId":"acme",
        "key":"s-\u0031","time":"2026-01-31T13:00:00.1234+01:00","payload":{"id" : 1.0},
        "metadata":{"correlationId":"c","hops":2,"zone":"eu"}} "#,
    )
    .unwrap();
    assert_eq!(event.id.unwrap(), Uuid::from_u128(0x019a2c44_7d30_7c4e_9f0e_5a2b8c1d3e4f));
    assert_eq!(event.event_type.as_str(), "shift.signup.created");
    assert_eq!(event.tenant.unwrap().as_str(), "acme");
    assert_eq!(event.key.unwrap().as_str(), "s-1");
    assert_eq!(event.time.unwrap().to_string(), "2026-01-31T12:00:00.123Z");
    assert_eq!(event.payload.as_str(), "{\"id\" : 1.0}");
    assert_eq!(event.metadata.get("zone").as_deref(), Some("eu"));
}

#[test]
fn only_the_type_is_required() {
    let event = parse_event("{\"type\":\"a\"}").unwrap();
    assert!(event.id.is_none() && event.tenant.is_none() && event.key.is_none() && event.time.is_none());
    assert_eq!(event.payload.as_str(), "{}");
    assert!(event.metadata.is_empty());
}

#[test]
fn payloads_are_kept_byte_for_byte() {
    let odd = [
        "{}",
        "{ }",
        "{\n\t\"b\" : 1 ,\r\n \"a\":2}",
        r#"{"n":[1.0,1e2,1E+2,-0,0.1000,9223372036854775808,-9223372036854775809,1.7976931348623157e308,1e400,-1e-400]}"#,
        r#"{"a":1,"a":2,"a":{"a":3,"a":4}}"#,
        r#"{"s":"\ud800 \udc00\ud800 \uD83D\uDE00 \u0000 \/ \u0041 😀 é"}"#,
        r#"{"\ud800":1}"#,
        "{\"plane\":\"\u{e000}\u{fffd}\u{10ffff}\u{2028}\u{7f}\"}",
    ];
    for text in odd {
        assert_eq!(payload(text), text);
        assert_eq!(payload(&format!("\n {text}\t ")), text);
    }
}

#[test]
fn deep_nesting_is_kept_and_does_not_grow_the_stack() {
    let depth = MAX_EVENT_BYTES / 2 - 100;
    let text = format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    let deep = move || {
        assert_eq!(payload(&text), text);
        let objects = format!("{}{{}}{}", "{\"a\":".repeat(30_000), "}".repeat(30_000));
        assert_eq!(payload(&objects), objects);
        let open = parse_batch(&"[".repeat(1 << 20)).unwrap_err();
        assert_eq!(open.kind(), ErrorKind::BadRequest);
        let nested = parse_batch(&format!("{}{}", "[".repeat(100_000), "]".repeat(100_000))).unwrap_err();
        assert_eq!(faults(&nested), [(Some(0), "", "not_an_object")]);
        let elsewhere = format!("{{\"type\":\"a\",\"key\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(faults(&refused(&elsewhere)), [(None, "/key", "wrong_type")]);
    };
    std::thread::Builder::new().stack_size(256 * 1024).spawn(deep).unwrap().join().unwrap();
}

#[test]
fn a_payload_that_is_no_object_is_refused() {
    for json in ["null", "[]", "\"{}\"", "1", "true"] {
        let error = refused(&format!("{{\"type\":\"a\",\"payload\":{json}}}"));
        assert_eq!(faults(&error), [(None, "/payload", "not_an_object")], "{json}");
    }
}

#[test]
fn every_field_at_fault_is_named() {
    let error = refused(
        r#"{"id":"x","tenantId":"a b","key":"","time":"2026-01-31","payload":null,"metadata":{"hops":17,"n":1},
        "typ":"shift.created","storedAt":"2026-01-31T12:00:00Z"}"#,
    );
    let expected = [
        ("/typ", "unknown_field"),
        ("/storedAt", "read_only"),
        ("/id", "invalid_uuid"),
        ("/type", "required"),
        ("/tenantId", "invalid_name"),
        ("/key", "invalid_name"),
        ("/time", "invalid_time"),
        ("/payload", "not_an_object"),
        ("/metadata/hops", "loop"),
        ("/metadata/n", "wrong_type"),
    ];
    assert_eq!(faults(&error), expected.map(|(pointer, code)| (None, pointer, code)));
}

#[test]
fn fields_of_text_take_nothing_else() {
    for field in ["id", "tenantId", "key", "time"] {
        for value in ["null", "1", "{}", "[]", "false"] {
            let error = refused(&format!("{{\"type\":\"a\",\"{field}\":{value}}}"));
            assert_eq!(faults(&error), [(None, &*format!("/{field}"), "wrong_type")]);
        }
    }
    assert_eq!(faults(&refused("{\"type\":null}")), [(None, "/type", "wrong_type")]);
    assert_eq!(faults(&refused("{\"type\":\"a\",\"key\":\"\\ud800\"}")), [(None, "/key", "not_unicode")]);
    assert_eq!(faults(&refused("{\"type\":\"a\",\"key\":\"\\u0000\"}")), [(None, "/key", "invalid_name")]);
}

#[test]
fn ids_are_uuids_in_their_usual_spelling() {
    for id in [
        "",
        "1",
        "019a2c447d307c4e9f0e5a2b8c1d3e4f",
        "{019a2c44-7d30-7c4e-9f0e-5a2b8c1d3e4f}",
        "urn:uuid:019a2c44-7d30-7c4e-9f0e-5a2b8c1d3e4f",
    ] {
        let error = refused(&json!({"type": "a", "id": id}).to_string());
        assert_eq!(faults(&error), [(None, "/id", "invalid_uuid")], "{id}");
    }
}

#[test]
fn unknown_fields_are_refused_with_the_name_that_was_meant() {
    let hint = |field: &str| {
        let error = refused(&json!({"type": "a", field: "x"}).to_string());
        assert_eq!(error.fields()[0].code, "unknown_field");
        error.fields()[0].detail.clone()
    };
    assert!(hint("tenant_id").ends_with("did you mean `tenantId`?"));
    assert!(hint("tenant").ends_with("did you mean `tenantId`?"));
    assert!(hint("Type").ends_with("did you mean `type`?"));
    assert!(hint("eventType").ends_with("did you mean `type`?"));
    assert!(hint("timestamp").ends_with("did you mean `time`?"));
    assert!(hint("data").ends_with("did you mean `payload`?"));
    assert!(hint("correlationId").ends_with("it belongs into `metadata`: /metadata/correlationId"));
    assert!(hint("colour").ends_with("an event has id, type, tenantId, key, time, payload, metadata"));
}

#[test]
fn names_in_pointers_are_escaped_and_cut() {
    let long = "é".repeat(500);
    let error = refused(&json!({"type": "a", "x/y~z": 1, long: 2}).to_string());
    let pointers: Vec<_> = error.fields().iter().map(|fault| fault.pointer.clone()).collect();
    assert_eq!(pointers, ["/x~1y~0z".into(), format!("/{}…", "é".repeat(100))]);
    assert_eq!(faults(&refused("{\"type\":\"a\",\"\\ud800\":1}")), [(None, "/\"\\ud800\"", "not_unicode")]);
}

#[test]
fn a_field_may_be_there_once() {
    let error = refused(r#"{"type":"a","\u0074ype":"a","payload":{},"payload":{}}"#);
    assert_eq!(faults(&error), [(None, "/type", "repeated_name"), (None, "/payload", "repeated_name")]);
}

#[test]
fn a_body_that_is_not_json_cannot_be_read_at_all() {
    let bodies = [
        "",
        " ",
        "{",
        "{\"type\":\"a\"",
        "{\"type\":\"a\",}",
        "{'type':'a'}",
        "{\"type\":\"a\"} x",
        "[{\"type\":\"a\"}",
        "[{\"type\":\"a\"},]",
        "[{\"type\":\"a\"}] 1",
        "nul",
        "\u{feff}{\"type\":\"a\"}",
        "\u{c}{\"type\":\"a\"}",
        "{\"type\":\"a\",\"payload\":{\"n\":01}}",
        "{\"type\":\"a\",\"payload\":{\"n\":NaN}}",
        "{\"type\":\"a\",\"payload\":{\"s\":\"\t\"}}",
        "{\"type\":\"a\",\"payload\":{\"s\":\"\\x\"}}",
        "{type:\"a\"}",
        "{\"type\":\"a\",\"id\":}",
    ];
    for body in bodies {
        for parse in [|body| parse_batch(body).map(|_| ()), |body| parse_event(body).map(|_| ())] {
            let error = parse(body).unwrap_err();
            let kind = error.kind();
            assert_eq!((kind, error.fields().len()), (ErrorKind::BadRequest, 0), "{body:?} {error}");
        }
    }
}

#[test]
fn a_body_of_another_shape_is_no_event() {
    for body in ["null", "1", "\"a\"", "true"] {
        let error = parse_batch(body).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidEvent);
        assert_eq!(faults(&error), [(None, "", "not_an_object")], "{body}");
    }
    assert_eq!(faults(&refused("[{\"type\":\"a\"}]")), [(None, "", "not_an_object")]);
}

#[test]
fn a_batch_is_read_in_its_order() {
    let types = |events: Vec<NewEvent>| events.iter().map(|event| event.event_type.to_string()).collect::<Vec<_>>();
    assert_eq!(types(parse_batch("{\"type\":\"a\"}").unwrap()), ["a"]);
    assert_eq!(types(parse_batch(" [ {\"type\":\"a\"} , {\"type\":\"b\"} ] ").unwrap()), ["a", "b"]);
}

#[test]
fn every_event_at_fault_is_named_by_its_index() {
    let error =
        parse_batch(r#"[{"type":"a"},{"type":"","key":1},null,{"type":"a","metadata":[]},{"type":"b"}]"#).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidEvent);
    let expected = [
        (Some(1), "/type", "invalid_name"),
        (Some(1), "/key", "wrong_type"),
        (Some(2), "", "not_an_object"),
        (Some(3), "/metadata", "not_an_object"),
    ];
    assert_eq!(faults(&error), expected);
}

#[test]
fn a_single_event_in_an_array_still_has_an_index() {
    assert_eq!(faults(&parse_batch("[{}]").unwrap_err()), [(Some(0), "/type", "required")]);
    assert_eq!(faults(&parse_batch("{}").unwrap_err()), [(None, "/type", "required")]);
}

#[test]
fn a_batch_has_from_one_to_a_thousand_events() {
    let batch = |count: usize| format!("[{}]", vec!["{\"type\":\"a\"}"; count].join(","));
    assert_eq!(parse_batch(&batch(MAX_BATCH)).unwrap().len(), MAX_BATCH);
    for count in [0, MAX_BATCH + 1, MAX_BATCH * 3] {
        let error = parse_batch(&batch(count)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidBody);
        assert!(error.detail().contains(&format!("has {count} events")), "{error}");
    }
}

#[test]
fn an_event_may_have_a_quarter_of_a_mebibyte_of_json() {
    let event = |bytes: usize| format!("{{\"type\":\"a\",\"payload\":{{\"x\":\"{}\"}}}}", "x".repeat(bytes - 31));
    let (most, over) = (event(MAX_EVENT_BYTES), event(MAX_EVENT_BYTES + 1));
    assert_eq!(most.len(), MAX_EVENT_BYTES);
    assert!(parse_event(&format!("  {most}  ")).is_ok());
    assert_eq!(parse_batch(&format!("[{most},{most}]")).unwrap().len(), 2);
    assert_eq!(parse_event(&over).unwrap_err().kind(), ErrorKind::TooLarge);
    let error = parse_batch(&format!("[{{}},{most},{over}]")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert_eq!(faults(&error), [(Some(0), "/type", "required"), (Some(2), "", "too_large")]);
    assert_eq!(parse_event(&over[..over.len() - 1]).unwrap_err().kind(), ErrorKind::BadRequest);
}

#[test]
fn very_many_faults_are_summed_up() {
    let fields: Vec<_> = (0..5_000).map(|n| format!("\"n{n}\":{n}")).collect();
    let body = format!("[{{{}}}]", fields.join(","));
    let error = parse_batch(&body).unwrap_err();
    assert_eq!(error.fields().len(), 33);
    assert_eq!(faults(&error)[32], (Some(0), "", "more_faults"));
    assert!(error.detail().len() < 1_000, "{error}");
}

/// Any JSON, with the odd field of an event.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
    ];
    let name = prop_oneof!["id|type|tenantId|key|time|payload|metadata|hops|storedAt", "\\PC{0,8}"];
    leaf.prop_recursive(4, 40, 8, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map(name.clone(), inner, 0..8)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_body_makes_the_parser_panic(body in "[\\[\\]{}:,\"\\\\ a-z0-9u]{0,60}") {
        let _ = parse_batch(&body);
    }

    #[test]
    fn any_json_is_read_or_refused_by_its_fields(value in any_json()) {
        match parse_batch(&value.to_string()) {
            Ok(events) => prop_assert!(!events.is_empty()),
            Err(error) => {
                prop_assert_ne!(error.kind(), ErrorKind::BadRequest);
                prop_assert!(!error.fields().is_empty());
                prop_assert!(error.fields().iter().all(|fault| fault.index.is_some() == (value.is_array() && error.kind() != ErrorKind::InvalidBody)));
            }
        }
    }

    #[test]
    fn any_object_is_kept_as_a_payload(value in any_json()) {
        let pretty = serde_json::to_string_pretty(&json!({"type": value})).unwrap();
        prop_assert_eq!(payload(&pretty), pretty);
    }
}
