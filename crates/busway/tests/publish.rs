use busway::{Context, ErrorKind, Event, NewEvent, Result, Timestamp, testing};
use serde_json::json;

use crate::tickets::{Ear, MailSent, TicketCreated, created};

#[tokio::test]
async fn an_event_arrives_with_everything_that_was_said() {
    let bus = testing::bus().await;
    let ear = Ear::default();
    let inner = ear.clone();
    bus.subscribe("all", move |event: Event<TicketCreated>, _: Context| {
        inner.hear(event);
        async { Ok(()) }
    })
    .await
    .unwrap();
    let id: uuid::Uuid = "0190a2c4-4000-7000-8000-000000000001".parse().unwrap();
    let time: Timestamp = "2025-12-24T18:00:00Z".parse().unwrap();
    let published = bus
        .tenant("acme")
        .publish(created(1))
        .id(id)
        .key("other")
        .at(time)
        .correlation("order-7")
        .actor("user", 12)
        .metadata("shard", "north")
        .await
        .unwrap();
    assert!(!published.duplicate);
    bus.drain().await.assert_ok();
    let [event] = ear.heard().try_into().unwrap();
    assert_eq!((event.id, published.id), (id, id));
    assert_eq!(event.event_type.as_str(), "ticket.created");
    assert_eq!(event.tenant.as_str(), "acme");
    assert_eq!(event.key.unwrap().as_str(), "other");
    assert_eq!(event.time, time);
    assert_eq!(event.stored_at, published.stored_at);
    assert_eq!(event.payload, created(1));
    for (name, text) in [("correlationId", "order-7"), ("actorType", "user"), ("actorId", "12"), ("shard", "north")] {
        assert_eq!(event.metadata.get(name).as_deref(), Some(text), "{name}");
    }
}

#[tokio::test]
async fn the_key_field_is_the_key_and_without_one_there_is_none() {
    let bus = testing::bus().await;
    bus.publish(created(12)).await.unwrap();
    bus.publish(MailSent { to: "ada".into() }).await.unwrap();
    assert_eq!(bus.published::<TicketCreated>()[0].key.as_ref().unwrap().as_str(), "12");
    assert_eq!(bus.published::<MailSent>()[0].key, None);
}

#[tokio::test]
async fn a_repeated_id_is_told_and_delivered_to_nobody() {
    let bus = testing::bus().await;
    let ear = Ear::<TicketCreated>::default();
    bus.subscribe("once", ear.payloads()).await.unwrap();
    let first = bus.publish(created(1)).await.unwrap();
    let again = bus.publish(created(1)).id(first.id).await.unwrap();
    assert!(again.duplicate);
    assert_eq!(again.id, first.id);
    bus.drain().await.assert_ok();
    assert_eq!(ear.heard().len(), 1);
    assert_eq!(bus.published::<TicketCreated>().len(), 1);
}

#[tokio::test]
async fn a_batch_is_published_in_its_order() {
    let bus = testing::bus().await;
    let ear = Ear::<TicketCreated>::default();
    bus.subscribe("in-order", ear.payloads()).await.unwrap();
    let all: Vec<_> = (0..50).map(|n| TicketCreated { id: 1, subject: n.to_string() }).collect();
    let published = bus.tenant("acme").publish_all(all.clone()).await.unwrap();
    assert_eq!(published.len(), 50);
    bus.drain().await.assert_ok();
    assert_eq!(ear.heard(), all);
}

#[tokio::test]
async fn a_batch_with_one_bad_event_is_refused_whole_and_says_which() {
    let bus = testing::bus().await;
    let events = [NewEvent::from(created(1)), NewEvent::new("no type", json!({}))];
    let error = bus.publish_all(events).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidEvent);
    assert_eq!((error.fields()[0].index, error.fields()[0].pointer.as_str()), (Some(1), "/type"));
    assert_eq!(bus.drain().await.published, 0);
}

#[tokio::test]
async fn what_is_wrong_with_an_event_is_told_when_it_is_awaited() {
    let bus = testing::bus().await;
    let pointer = |error: busway::Error| (error.kind(), error.fields()[0].pointer.clone());
    let invalid = |pointer: &str| (ErrorKind::InvalidEvent, pointer.to_owned());
    let error = bus.publish(NewEvent::new("ticket.created", 7)).await.unwrap_err();
    assert_eq!(pointer(error), invalid("/payload"));
    let error = bus.publish(created(1)).key("").await.unwrap_err();
    assert_eq!(pointer(error), invalid("/key"));
    let error = bus.publish(created(1)).metadata("hops", "many").await.unwrap_err();
    assert_eq!(pointer(error), invalid("/metadata/hops"));
    let error = bus.tenant("no such/tenant").publish(created(1)).await.unwrap_err();
    assert_eq!(pointer(error), invalid("/tenantId"));
    assert_eq!(bus.drain().await.published, 0);
}

#[tokio::test]
async fn an_event_names_its_tenant_or_is_the_default_ones() -> Result {
    let bus = testing::bus().await;
    bus.publish(NewEvent::from(created(1)).tenant("acme")).await?;
    bus.publish(created(2)).await?;
    let tenants: Vec<_> = bus.published::<TicketCreated>().into_iter().map(|event| event.tenant.to_string()).collect();
    assert_eq!(tenants, ["acme", "default"]);
    Ok(())
}
