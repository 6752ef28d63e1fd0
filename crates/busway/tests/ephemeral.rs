use busway::{Context, Event, testing};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::tickets::{MailSent, TicketClosed, TicketCreated, created};

/// A listener that hands every event's type and tenant over, and the end where they come out.
fn told() -> (impl Fn(Event<Value>, Context) -> std::future::Ready<busway::Result>, mpsc::UnboundedReceiver<String>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let listener = move |event: Event<Value>, _: Context| {
        std::future::ready(sender.send(format!("{} {}", event.tenant, event.event_type)).map_err(Into::into))
    };
    (listener, receiver)
}

#[tokio::test]
async fn it_hears_from_now_on_what_matches() {
    let bus = testing::bus().await;
    bus.publish(created(1)).await.unwrap();
    let (listener, mut heard) = told();
    let _ephemeral = bus.ephemeral("ticket.* !ticket.closed", listener).await.unwrap();
    bus.publish(TicketClosed { id: 1 }).await.unwrap();
    bus.publish(MailSent { to: "ada".into() }).await.unwrap();
    bus.publish(created(2)).await.unwrap();
    assert_eq!(heard.recv().await.unwrap(), "default ticket.created");
    assert!(heard.try_recv().is_err());
}

#[tokio::test]
async fn it_ends_with_its_handle_and_leaves_nothing_behind() {
    let bus = testing::bus().await;
    let (listener, mut heard) = told();
    let ephemeral = bus.ephemeral("*", listener).await.unwrap();
    assert!(!ephemeral.is_over());
    drop(ephemeral);
    bus.publish(created(1)).await.unwrap();
    assert_eq!(heard.recv().await, None);
    assert!(bus.engine().subscriptions(None).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_tenants_hears_its_own_events_alone() {
    let bus = testing::bus().await;
    let (listener, mut heard) = told();
    let _ephemeral = bus.tenant("acme").ephemeral("*", listener).await.unwrap();
    bus.tenant("hilltop").publish(created(1)).await.unwrap();
    bus.tenant("acme").publish(created(2)).await.unwrap();
    assert_eq!(heard.recv().await.unwrap(), "acme ticket.created");
    assert!(heard.try_recv().is_err());
}

#[tokio::test]
async fn an_error_is_not_retried_and_the_next_event_comes() {
    let bus = testing::bus().await;
    let (sender, mut heard) = mpsc::unbounded_channel();
    let _ephemeral = bus
        .ephemeral("*", move |event: Event<TicketCreated>, _: Context| {
            let told = sender.send(event.payload.id);
            async move {
                told?;
                Err("refused".into())
            }
        })
        .await
        .unwrap();
    bus.publish(MailSent { to: "not for this payload".into() }).await.unwrap();
    bus.publish_all([created(1), created(2)]).await.unwrap();
    assert_eq!((heard.recv().await, heard.recv().await), (Some(1), Some(2)));
    assert!(heard.try_recv().is_err());
}

#[tokio::test]
async fn it_is_over_once_the_bus_is_shut_down() {
    let bus = testing::bus().await;
    let (listener, mut heard) = told();
    let ephemeral = bus.ephemeral("*", listener).await.unwrap();
    bus.shutdown().await.unwrap();
    assert_eq!(heard.recv().await, None);
    drop(ephemeral);
}

#[tokio::test]
async fn what_is_no_pattern_is_refused() {
    let bus = testing::bus().await;
    let (listener, _heard) = told();
    let error = bus.ephemeral("ticket..created", listener).await.unwrap_err();
    assert_eq!(error.fields()[0].code, "invalid_pattern");
}
