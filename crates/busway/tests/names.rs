use busway::{ErrorKind, Retry, testing};
use serde_json::Value;

use crate::tickets::{Ear, TicketCreated, created};

#[tokio::test]
async fn a_listener_without_a_name_is_named_after_app_and_type() {
    let bus = testing::bus().await;
    let ear = Ear::<TicketCreated>::default();
    let typed = bus.on("ticket.created", ear.payloads()).await.unwrap();
    assert_eq!(typed.name().as_str(), "test/ticket.created");
    let all = Ear::<Value>::default();
    assert_eq!(bus.subscribe_all(all.payloads()).await.unwrap().name().as_str(), "test/*");
    bus.publish(created(1)).await.unwrap();
    bus.drain().await.assert_ok();
    assert_eq!((ear.heard().len(), all.heard().len()), (1, 1));
}

#[tokio::test]
async fn a_second_one_under_the_same_default_name_is_told_how_to_name_it() {
    let bus = testing::bus().await;
    let ear = Ear::<TicketCreated>::default();
    bus.on("ticket.created", ear.payloads()).await.unwrap();
    let error = bus.on("ticket.created", ear.payloads()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DefinitionDiffers);
    let way_out = r#"bus.subscribe("a-name", listener).on("ticket.created")"#;
    assert!(error.detail().contains("`test/ticket.created`") && error.detail().contains(way_out), "{error}");
    bus.subscribe("a-name", ear.payloads()).on("ticket.created").await.unwrap();
    bus.publish(created(1)).await.unwrap();
    bus.drain().await.assert_ok();
    assert_eq!(ear.heard().len(), 2);
}

#[tokio::test]
async fn a_second_listener_under_one_name_is_refused() {
    let bus = testing::bus().await;
    let ear = Ear::<TicketCreated>::default();
    bus.subscribe("one", ear.payloads()).await.unwrap();
    let error = bus.subscribe("one", ear.payloads()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DefinitionDiffers);
    assert!(error.detail().contains("another name"), "{error}");
}

#[tokio::test]
async fn another_definition_under_the_name_is_refused_unless_an_update_is_asked_for() {
    let bus = testing::bus().await;
    let ear = Ear::<TicketCreated>::default();
    let first = bus.subscribe("one", ear.payloads()).await.unwrap();
    first.unsubscribe().await.unwrap();
    let error = bus.subscribe("one", ear.payloads()).concurrency(2).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DefinitionDiffers);
    let changed = bus.subscribe("one", ear.payloads()).concurrency(2).update().await.unwrap();
    assert_eq!(changed.view().await.unwrap().definition.concurrency, 2);
}

#[tokio::test]
async fn a_tenant_and_the_installation_may_use_the_same_name() {
    let bus = testing::bus().await;
    let ear = Ear::<TicketCreated>::default();
    bus.subscribe("one", ear.payloads()).await.unwrap();
    bus.tenant("acme").subscribe("one", ear.payloads()).await.unwrap();
    bus.tenant("hilltop").subscribe("one", ear.payloads()).await.unwrap();
    bus.tenant("acme").publish(created(1)).await.unwrap();
    bus.drain().await.assert_ok();
    assert_eq!(ear.heard().len(), 2);
}

#[tokio::test]
async fn what_cannot_be_a_subscription_is_refused_with_the_fields() {
    let bus = testing::bus().await;
    let ear = Ear::<TicketCreated>::default();
    let error = bus.subscribe("no spaces", ear.payloads()).await.unwrap_err();
    assert_eq!(error.fields()[0].pointer, "/name");
    let error =
        bus.subscribe("one", ear.payloads()).concurrency(0).retry(Retry::default().jitter(2.0)).await.unwrap_err();
    let pointers: Vec<_> = error.fields().iter().map(|field| field.pointer.as_str()).collect();
    assert_eq!(pointers, ["/concurrency", "/retry/jitter"]);
    bus.subscribe("one", ear.payloads()).await.unwrap();
}
