use std::sync::Arc;

use busway::{Context, Event, Listener, Result, testing};
use serde_json::{Value, json};

use crate::tickets::{Ear, MailSent, Ticket, TicketClosed, TicketCreated, can_be_spawned, created};

async fn greet(event: Event<TicketCreated>, cx: Context) -> Result {
    cx.publish(MailSent { to: event.payload.subject }).await?;
    Ok(())
}

#[tokio::test]
async fn an_async_fn_listens_for_the_type_it_takes() {
    let bus = testing::bus().await;
    bus.subscribe("greet", greet).await.unwrap();
    bus.tenant("acme").publish(created(1)).await.unwrap();
    bus.drain().await.assert_ok();
    bus.assert_published::<MailSent>(|event| event.payload.to == "ticket 1");
}

#[tokio::test]
async fn a_closure_listens_with_what_it_captured() {
    let bus = testing::bus().await;
    let ear = Arc::new(Ear::default());
    let inner = ear.clone();
    bus.subscribe("closure", move |event: Event<TicketCreated>, _: Context| {
        let ear = inner.clone();
        async move {
            let id: u32 = event.payload.id.to_string().parse()?;
            ear.hear(id);
            Ok(())
        }
    })
    .await
    .unwrap();
    bus.publish(created(7)).await.unwrap();
    bus.drain().await.assert_ok();
    assert_eq!(ear.heard(), [7]);
}

#[tokio::test]
async fn an_async_closure_listens_too() {
    let bus = testing::bus().await;
    let forward = async |event: Event<TicketCreated>, cx: Context| {
        cx.publish(MailSent { to: event.payload.subject }).await?;
        Ok(())
    };
    bus.subscribe("forward", forward).await.unwrap();
    bus.publish(created(1)).await.unwrap();
    bus.drain().await.assert_ok();
    bus.assert_published::<MailSent>(|event| event.payload.to == "ticket 1");
}

struct Chat {
    ear: Ear<String>,
}

impl Listener<Ticket> for Chat {
    async fn handle(&self, event: Event<Ticket>, _: Context) -> Result {
        match event.payload {
            Ticket::Created(created) => self.ear.hear(created.subject),
            Ticket::Closed(closed) => self.ear.hear(format!("closed {}", closed.id)),
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_struct_listens_to_an_enum_with_its_state() {
    let bus = testing::bus().await;
    let ear = Ear::default();
    bus.subscribe("chat", Chat { ear: ear.clone() }).await.unwrap();
    bus.publish(created(1)).await.unwrap();
    bus.publish(TicketClosed { id: 1 }).await.unwrap();
    bus.publish(MailSent { to: "nobody".into() }).await.unwrap();
    bus.drain().await.assert_ok();
    assert_eq!(ear.heard(), ["ticket 1", "closed 1"]);
}

#[tokio::test]
async fn a_listener_of_json_hears_every_type() {
    let bus = testing::bus().await;
    let ear = Ear::<Value>::default();
    bus.subscribe_all(ear.payloads()).await.unwrap();
    bus.publish(TicketClosed { id: 1 }).await.unwrap();
    bus.publish(busway::NewEvent::new("never.declared", json!({"a": [1]}))).await.unwrap();
    bus.drain().await.assert_ok();
    assert_eq!(ear.heard(), [json!({"id": 1}), json!({"a": [1]})]);
}

#[tokio::test]
async fn patterns_and_exclusions_choose_what_is_heard() {
    let bus = testing::bus().await;
    let ear = Ear::<Value>::default();
    bus.subscribe("some", ear.payloads()).on("ticket.*").on("mail.sent").except("ticket.closed").await.unwrap();
    bus.publish(created(1)).await.unwrap();
    bus.publish(TicketClosed { id: 1 }).await.unwrap();
    bus.publish(MailSent { to: "ada".into() }).await.unwrap();
    bus.drain().await.assert_ok();
    assert_eq!(ear.heard(), [json!({"id": 1, "subject": "ticket 1"}), json!({"to": "ada"})]);
}

#[tokio::test]
async fn an_exclusion_alone_takes_from_the_payloads_own_types() {
    let bus = testing::bus().await;
    let ear = Ear::<Ticket>::default();
    bus.subscribe("all-but", ear.payloads()).except("ticket.closed").await.unwrap();
    bus.publish(created(1)).await.unwrap();
    bus.publish(TicketClosed { id: 1 }).await.unwrap();
    bus.drain().await.assert_ok();
    assert_eq!(ear.heard(), [Ticket::Created(created(1))]);
}

#[tokio::test]
async fn a_pattern_that_the_payload_has_no_place_for_is_refused() {
    let bus = testing::bus().await;
    let ear = Ear::<Ticket>::default();
    let error = bus.subscribe("deaf", ear.payloads()).on("mail.*").await.unwrap_err();
    assert_eq!(error.kind(), busway::ErrorKind::InvalidBody);
    assert!(error.detail().contains("ticket.created, ticket.closed"), "{error}");
    bus.subscribe("deaf", ear.payloads()).on("*.created").await.unwrap();
}

#[tokio::test]
async fn one_listener_failing_does_not_touch_the_others() {
    let bus = testing::bus().await;
    let ear = Ear::<TicketCreated>::default();
    bus.subscribe("broken", |_: Event<TicketCreated>, _: Context| async { Err("out of order".into()) }).await.unwrap();
    bus.subscribe("sound", ear.payloads()).await.unwrap();
    bus.publish(created(1)).await.unwrap();
    let report = bus.drain().await;
    assert_eq!(ear.heard(), [created(1)]);
    let [broken] = report.unhandled.as_slice() else { panic!("{report}") };
    assert_eq!((broken.listener.as_str(), broken.error.as_deref()), ("broken", Some("out of order")));
}

#[tokio::test]
async fn every_verb_can_be_spawned() {
    let bus = testing::bus().await;
    can_be_spawned(async { bus.subscribe("greet", greet).await }).await.unwrap();
    can_be_spawned(async { bus.tenant("acme").publish(created(1)).key("k").await }).await.unwrap();
    can_be_spawned(async { bus.publish_all([created(2)]).await }).await.unwrap();
    can_be_spawned(async { bus.ephemeral("*", greet).await.map(drop) }).await.unwrap();
    can_be_spawned(async { bus.drain().await }).await.assert_ok();
}
