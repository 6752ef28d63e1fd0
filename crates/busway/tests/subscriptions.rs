use busway::{ErrorKind, HOUR, Order, SECOND, Start, raw::SubscriptionState, testing};

use crate::tickets::{Ear, TicketCreated, created};

#[tokio::test]
async fn the_builders_words_become_the_definition() {
    let bus = testing::bus().await;
    let ear = Ear::<TicketCreated>::default();
    let subscription = bus
        .subscribe("all", ear.payloads())
        .concurrency(3)
        .order(Order::Type)
        .start(Start::Earliest)
        .ack_timeout(5 * SECOND)
        .expire_after(HOUR)
        .await
        .unwrap();
    let view = subscription.view().await.unwrap();
    assert_eq!(view.name.as_str(), "all");
    let definition = view.definition;
    assert_eq!(definition.types.to_texts(), ["ticket.created"]);
    assert_eq!((definition.concurrency, definition.order), (3, Order::Type));
    assert_eq!((definition.ack_timeout_ms, definition.expire_after_ms), (5_000, Some(3_600_000)));
}

#[tokio::test]
async fn a_new_subscription_starts_where_it_is_told() {
    let bus = testing::bus().await;
    bus.publish(created(1)).await.unwrap();
    let (late, early) = (Ear::<TicketCreated>::default(), Ear::<TicketCreated>::default());
    bus.subscribe("late", late.payloads()).await.unwrap();
    bus.subscribe("early", early.payloads()).start(Start::Earliest).await.unwrap();
    bus.publish(created(2)).await.unwrap();
    bus.drain().await.assert_ok();
    assert_eq!(late.heard(), [created(2)]);
    assert_eq!(early.heard(), [created(1), created(2)]);
}

#[tokio::test]
async fn what_is_published_while_nobody_listens_waits() {
    let bus = testing::bus().await;
    let ear = Ear::<TicketCreated>::default();
    let first = bus.subscribe("durable", ear.payloads()).await.unwrap();
    first.unsubscribe().await.unwrap();
    bus.publish(created(1)).await.unwrap();
    bus.drain().await.unhandled.first().expect("the event waits");
    assert!(ear.heard().is_empty());
    bus.subscribe("durable", ear.payloads()).await.unwrap();
    bus.advance(10 * SECOND).await.assert_ok();
    assert_eq!(ear.heard(), [created(1)]);
}

#[tokio::test]
async fn paused_means_nothing_is_handed_out_until_resumed() {
    let bus = testing::bus().await;
    let ear = Ear::<TicketCreated>::default();
    let subscription = bus.subscribe("pausing", ear.payloads()).await.unwrap();
    assert_eq!(subscription.pause().await.unwrap().state, SubscriptionState::Paused);
    bus.publish(created(1)).await.unwrap();
    let report = bus.advance(10 * SECOND).await;
    assert_eq!(report.unhandled.len(), 1);
    assert!(report.to_string().contains("not handled yet"), "{report}");
    subscription.resume().await.unwrap();
    bus.advance(10 * SECOND).await.assert_ok();
    assert_eq!(ear.heard(), [created(1)]);
}

#[tokio::test]
async fn seek_goes_back_to_what_was_heard() {
    let bus = testing::bus().await;
    let ear = Ear::<TicketCreated>::default();
    let subscription = bus.subscribe("seeking", ear.payloads()).await.unwrap();
    bus.publish(created(1)).await.unwrap();
    bus.drain().await.assert_ok();
    subscription.seek(Start::Earliest).await.unwrap();
    bus.advance(10 * SECOND).await.assert_ok();
    assert_eq!(ear.heard(), [created(1), created(1)]);
}

#[tokio::test]
async fn removed_means_gone() {
    let bus = testing::bus().await;
    let ear = Ear::<TicketCreated>::default();
    let subscription = bus.subscribe("going", ear.payloads()).await.unwrap();
    subscription.remove().await.unwrap();
    assert_eq!(subscription.view().await.unwrap_err().kind(), ErrorKind::NotFound);
    bus.publish(created(1)).await.unwrap();
    bus.drain().await.assert_ok();
    assert!(ear.heard().is_empty());
    bus.subscribe("going", ear.payloads()).await.unwrap();
}
