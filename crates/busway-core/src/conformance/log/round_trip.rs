use std::sync::Arc;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    Body, Event, EventType, Filter, Key, Metadata, Payload, TenantId, Timestamp,
    conformance::{Outcome, probe::Probe},
    lane_of,
};

/// The largest payload that a publisher may send, in bytes.
const LARGEST: usize = 256 << 10;

/// Appends the events and fails unless read, fetch and find each give them back whole, where the answer of the
/// append says.
async fn come_back(probe: &Probe, events: Vec<Event>) -> Outcome {
    let events: Vec<Arc<Event>> = events.into_iter().map(Arc::new).collect();
    let appended = probe.log().append(&events).await?;
    ensure_eq!(appended.len(), events.len(), "answers to the append");
    for (event, told) in events.iter().zip(&appended) {
        ensure!(!told.duplicate, "the new event {} is called a duplicate", event.id);
        let lane = lane_of(&event.tenant, event.key.as_ref(), &event.event_type, probe.log().lanes());
        ensure_eq!(told.lane, lane, "lane of {}", event.id);
        let read = probe.read_all(lane, &Filter::default()).await?;
        let read = read.into_iter().filter(|entry| entry.seq == told.seq).collect::<Vec<_>>();
        let fetched = probe.log().fetch(lane, &[told.seq]).await?;
        let found = probe.log().find(Some(&event.tenant), event.id, event.id, 10).await?;
        for (call, entries) in [("read", read), ("fetch", fetched), ("find", found)] {
            ensure_eq!(entries.len(), 1, "entries that {call} gives for {}", event.id);
            let entry = &entries[0];
            ensure_eq!((entry.lane, entry.seq), (told.lane, told.seq), "place by {call}");
            ensure_eq!(entry.stored_at, told.stored_at, "stored_at by {call}");
            ensure_eq!(entry.body, Body::Event(event.clone()), "event by {call}");
        }
    }
    Ok(())
}

async fn payloads_come_back(probe: &Probe, payloads: impl IntoIterator<Item = String>) -> Outcome {
    let mut events = Vec::new();
    for text in payloads {
        let payload = Payload::from_json(&text)?;
        ensure_eq!(payload.as_str(), text, "payload before it is stored");
        events.push(Event { payload, ..probe.event() });
    }
    come_back(probe, events).await
}

pub(in crate::conformance) async fn ids_of_every_version_come_back(probe: &Probe) -> Outcome {
    let name = Uuid::new_v5(&Uuid::NAMESPACE_URL, b"check");
    let ids = [Uuid::nil(), Uuid::max(), Uuid::new_v4(), Uuid::now_v7(), name, Uuid::from_u128(1)];
    come_back(probe, ids.into_iter().map(|id| Event { id, ..probe.event() }).collect()).await
}

pub(in crate::conformance) async fn types_tenants_and_keys_come_back(probe: &Probe) -> Outcome {
    let longest_type = [["t".repeat(64), "y".repeat(64), "p".repeat(64)].join("."), "e".repeat(5)].join(".");
    let types = ["a", "A.b-c_d.0", longest_type.as_str()];
    let tenants = ["t", "T", "a.b_c:d-e", "6f1c1f0e-0000-4000-8000-000000000000", &"x".repeat(128)];
    let keys = [
        "k",
        " ",
        "K k",
        "a\tb\nc\r\"'\\`$%{}*|;:/",
        "ключ 鍵 🔑",
        "e\u{301}",
        "é",
        &"w".repeat(256),
        &"鍵".repeat(85),
    ];
    let mut events = Vec::new();
    for event_type in types {
        events.push(Event { event_type: EventType::new(event_type)?, ..probe.event() });
    }
    for tenant in tenants {
        events.push(Event { tenant: TenantId::new(tenant)?, ..probe.event() });
    }
    for key in keys {
        events.push(Event { key: Some(Key::new(key)?), ..probe.event() });
    }
    come_back(probe, events).await
}

pub(in crate::conformance) async fn times_come_back_to_the_millisecond(probe: &Probe) -> Outcome {
    let millis = [0, 1, -1, 999, 1_767_225_599_999, -2_208_988_800_001];
    let times = millis.into_iter().map(Timestamp::from_millis).chain([Timestamp::MIN, Timestamp::MAX]);
    come_back(probe, times.map(|time| Event { time, ..probe.event() }).collect()).await
}

pub(in crate::conformance) async fn metadata_comes_back(probe: &Probe) -> Outcome {
    let all = json!({
        "correlationId": "c-1", "causationId": "0194", "actorType": "user", "actorId": "u\u{1}1", "source": "web",
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "hops": 16,
        "ключ": "\u{10ffff}\u{1f600}\"\\\n", "": "",
    });
    let spaced = r#"{ "source" : "\u0061\/", "actorId":"b" ,"hops" : 3}"#;
    let mut events = Vec::new();
    for text in ["{}", r#"{"source":"a"}"#, r#"{"hops":0}"#, spaced, &all.to_string()] {
        let metadata = Metadata::from_json(text)?;
        ensure_eq!(metadata.as_str(), text, "metadata before it is stored");
        events.push(Event { metadata, ..probe.event() });
    }
    come_back(probe, events).await
}

pub(in crate::conformance) async fn payloads_from_two_bytes_to_the_largest_come_back(probe: &Probe) -> Outcome {
    let of_size = |size: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(size - 8));
    payloads_come_back(probe, ["{}".to_owned(), of_size(8), of_size(65_536), of_size(LARGEST - 1), of_size(LARGEST)])
        .await
}

pub(in crate::conformance) async fn payloads_of_every_unicode_plane_come_back(probe: &Probe) -> Outcome {
    let planes =
        (0..=16_u32).map(|plane| [0x0, 0x21, 0x7f, 0x80, 0x7ff, 0x800, 0xfdcf, 0xfffd].map(|low| plane << 16 | low));
    let all: String = planes.flatten().filter_map(char::from_u32).filter(|c| !c.is_ascii_control()).collect();
    let raw = format!(r#"{{"{}":{}}}"#, all.replace(['"', '\\'], ""), Value::from(all.as_str()));
    let unnormalised = r#"{"é":"é","ﬁ":"ﬀ","Å":"Å"}"#;
    payloads_come_back(probe, [raw, unnormalised.to_owned()]).await
}

pub(in crate::conformance) async fn payloads_nested_deeply_come_back(probe: &Probe) -> Outcome {
    let depth = 120;
    let arrays = format!(r#"{{"a":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    let objects = format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
    payloads_come_back(probe, [arrays, objects]).await
}

pub(in crate::conformance) async fn payloads_with_numbers_at_the_edges_come_back(probe: &Probe) -> Outcome {
    let numbers = [
        "0",
        "-0",
        "-0.0",
        "0.1",
        "1.0",
        "1.10",
        "1e5",
        "1E+5",
        "9223372036854775807",
        "-9223372036854775808",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "9007199254740993",
        "1.7976931348623157e308",
        "-1.7976931348623157e308",
        "5e-324",
        "2.2250738585072014e-308",
        "1e400",
        "1e-400",
        "123456789012345678901234567890.123456789012345678901234567890",
    ];
    payloads_come_back(probe, numbers.map(|number| format!(r#"{{"n":{number}}}"#))).await
}

pub(in crate::conformance) async fn payloads_with_escapes_come_back(probe: &Probe) -> Outcome {
    let escapes = [
        r"\u0000",
        r"a\u0000b",
        r"\ud83d\ude00",
        r"\ud800",
        r"\udc00",
        r"\u00e9",
        r"\/",
        r"\b\f\n\r\t",
        r"\\u0000",
        r"\u001f",
        r"\u2028",
    ];
    payloads_come_back(probe, escapes.map(|escape| format!(r#"{{"e{escape}":"{escape}"}}"#))).await
}

pub(in crate::conformance) async fn whitespace_and_the_order_of_fields_are_kept(probe: &Probe) -> Outcome {
    let texts = [
        r#"{"b":1,"a":2}"#,
        r#"{ "b" : 1 , "a" : [ ] }"#,
        "{\n\t\"a\":\r\n1}",
        r#"{"a":1,"a":2}"#,
        r#"{"":{}}"#,
        "{ }",
    ];
    payloads_come_back(probe, texts.map(str::to_owned)).await
}

pub(in crate::conformance) async fn an_empty_batch_stores_nothing(probe: &Probe) -> Outcome {
    ensure_eq!(probe.log().append(&[]).await?, Vec::new(), "answers to an empty batch");
    ensure!(probe.everything().await?.is_empty(), "an empty batch stored something");
    Ok(())
}

pub(in crate::conformance) async fn what_is_stored_is_there_when_the_store_is_opened_again(probe: &Probe) -> Outcome {
    let events = probe.events(20);
    probe.log().append(&events).await?;
    let again = probe.again().await?.everything().await?;
    ensure_eq!(again.len(), events.len(), "entries of the store opened again");
    ensure_eq!(again, probe.everything().await?, "the store opened again");
    Ok(())
}
