use busway::{EventType, Payload, raw, testing};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::tickets::{Ear, MailSent, Ticket, TicketClosed, created};

#[derive(EventType, Serialize, Deserialize)]
#[event("note.added")]
struct NoteAdded {
    #[event(key)]
    note: Option<Uuid>,
}

#[test]
fn a_key_may_be_of_any_type_that_can_be_displayed_and_may_be_missing() {
    let note = Uuid::from_u128(5);
    assert_eq!(NoteAdded { note: Some(note) }.key(), Some(note.to_string()));
    assert_eq!(NoteAdded { note: None }.key(), None);
    assert_eq!(NoteAdded::NAME, "note.added");
    assert_eq!(created(9).key().as_deref(), Some("9"));
}

#[derive(EventType, Serialize, Deserialize, schemars::JsonSchema)]
#[event("room.booked")]
struct RoomBooked {
    #[event(key)]
    room: u32,
    by: Option<String>,
}

#[test]
fn a_payload_may_have_a_schema_beside_its_type() {
    let schema = schemars::schema_for!(RoomBooked).to_value();
    assert_eq!(schema["required"], json!(["room"]));
    assert_eq!(RoomBooked { room: 7, by: None }.key().as_deref(), Some("7"));
}

#[derive(Payload, Debug, PartialEq)]
enum Anything {
    Ticket(Ticket),
    Mail(MailSent),
    Other(Value),
}

#[tokio::test]
async fn an_enum_may_hold_another_enum_and_a_place_for_the_rest() {
    let bus = testing::bus().await;
    let ear = Ear::<std::sync::Arc<Anything>>::default();
    let inner = ear.clone();
    bus.subscribe("anything", move |event: busway::Event<Anything>, _: busway::Context| {
        inner.hear(event.payload.into());
        async { Ok(()) }
    })
    .await
    .unwrap();
    bus.publish(TicketClosed { id: 1 }).await.unwrap();
    bus.publish(MailSent { to: "ada".into() }).await.unwrap();
    bus.publish(busway::NewEvent::new("x.y", json!({}))).await.unwrap();
    bus.drain().await.assert_ok();
    let heard = ear.heard();
    assert_eq!(*heard[0], Anything::Ticket(Ticket::Closed(TicketClosed { id: 1 })));
    assert_eq!(*heard[1], Anything::Mail(MailSent { to: "ada".into() }));
    assert_eq!(*heard[2], Anything::Other(json!({})));
}

#[test]
fn an_enum_knows_its_types_and_no_others() {
    let name = |text| raw::EventType::new(text).unwrap();
    assert_eq!(Ticket::patterns(), ["ticket.created", "ticket.closed"]);
    assert!(Ticket::handles(&name("ticket.closed")));
    assert!(!Ticket::handles(&name("ticket.deleted")));
    let error = Ticket::decode(&name("ticket.deleted"), &raw::Payload::empty()).unwrap_err();
    assert_eq!(error.to_string(), "payload: no variant is for events of type ticket.deleted");
}

#[derive(EventType, Serialize, Deserialize, Debug)]
#[event("order.placed")]
struct OrderPlaced {
    lines: Vec<Line>,
}

#[derive(Serialize, Deserialize, Debug)]
struct Line {
    amount: u32,
}

#[test]
fn what_does_not_fit_is_shown_where_it_stands() {
    let name = raw::EventType::new("order.placed").unwrap();
    let payload = raw::Payload::from_json(r#"{"lines":[{"amount":1},{"amount":"two"}]}"#).unwrap();
    let error = OrderPlaced::decode(&name, &payload).unwrap_err();
    assert_eq!(error.pointer(), "/lines/1/amount");
    assert!(error.to_string().starts_with("payload at /lines/1/amount: invalid type: string \"two\", expected u32"));
}
