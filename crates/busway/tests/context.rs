use busway::{Context, Event, NewEvent, Result, Retry, SECOND, Start, testing};
use serde_json::json;

use crate::tickets::{Ear, MailSent, TicketCreated, created};

#[tokio::test]
async fn what_a_listener_publishes_keeps_its_cause_and_its_tenant() {
    let bus = testing::bus().await;
    bus.subscribe("greet", |event: Event<TicketCreated>, cx: Context| async move {
        cx.publish(MailSent { to: event.payload.subject }).await?;
        Ok(())
    })
    .await
    .unwrap();
    let cause = bus.tenant("acme").publish(created(1)).correlation("order-7").await.unwrap();
    bus.drain().await.assert_ok();
    let [mail] = bus.published::<MailSent>().try_into().unwrap();
    assert_eq!(mail.tenant.as_str(), "acme");
    assert_eq!(mail.metadata.get("causationId"), Some(cause.id.to_string()));
    assert_eq!(mail.metadata.get("correlationId").as_deref(), Some("order-7"));
    assert_eq!(mail.metadata.hops(), 1);
}

#[tokio::test]
async fn a_repeated_delivery_publishes_nothing_twice() {
    let bus = testing::bus().await;
    bus.subscribe("twice", |_: Event<TicketCreated>, cx: Context| async move {
        let mail = |to: &str| MailSent { to: to.into() };
        let order = if cx.attempt() == 1 { ["ada", "ada", "bo"] } else { ["bo", "ada", "ada"] };
        for to in order {
            cx.publish(mail(to)).await?;
        }
        if cx.attempt() == 1 { Err("the work was done and the answer lost".into()) } else { Ok(()) }
    })
    .retry(Retry::fixed(SECOND))
    .await
    .unwrap();
    bus.publish(created(1)).await.unwrap();
    bus.advance(SECOND).await.assert_ok();
    let to: Vec<_> = bus.published::<MailSent>().into_iter().map(|event| event.payload.to).collect();
    assert_eq!(to, ["ada", "ada", "bo"]);
}

#[tokio::test]
async fn two_listeners_publish_each_their_own() {
    let bus = testing::bus().await;
    for name in ["one", "two"] {
        bus.subscribe(name, |_: Event<TicketCreated>, cx: Context| async move {
            cx.publish_all([MailSent { to: "ada".into() }]).await?;
            Ok(())
        })
        .await
        .unwrap();
    }
    bus.publish(created(1)).await.unwrap();
    bus.drain().await.assert_ok();
    assert_eq!(bus.published::<MailSent>().len(), 2);
}

#[tokio::test]
async fn a_listener_cannot_publish_for_another_tenant() {
    let bus = testing::bus().await;
    bus.subscribe("leak", |_: Event<TicketCreated>, cx: Context| async move {
        cx.publish(NewEvent::from(MailSent { to: "bo".into() }).tenant("hilltop")).await?;
        Ok(())
    })
    .await
    .unwrap();
    bus.tenant("acme").publish(created(1)).await.unwrap();
    let report = bus.drain().await;
    assert!(report.unhandled[0].error.as_ref().unwrap().starts_with("forbidden"), "{report}");
    assert!(bus.published::<MailSent>().is_empty());
}

#[tokio::test]
async fn events_that_cause_each_other_in_a_loop_end() {
    let bus = testing::bus().await;
    bus.subscribe("echo", |event: Event<TicketCreated>, cx: Context| async move {
        cx.publish(created(event.payload.id + 1)).await?;
        Ok(())
    })
    .retry(Retry::default().attempts(1))
    .await
    .unwrap();
    bus.publish(created(1)).await.unwrap();
    let report = bus.drain().await;
    assert_eq!(report.published, 17);
    assert!(report.unhandled[0].error.as_ref().unwrap().contains("loop"), "{report}");
}

#[tokio::test]
async fn a_listener_knows_its_run_and_its_tenants_bus() {
    let bus = testing::bus().await;
    let ear = Ear::default();
    let inner = ear.clone();
    bus.subscribe("knows", move |_: Event<TicketCreated>, cx: Context| {
        inner.hear((cx.subscription().to_owned(), cx.attempt(), cx.fence() > 0, cx.is_replay()));
        async move {
            cx.tenant().publish(NewEvent::new("note.added", json!({}))).await?;
            Ok(())
        }
    })
    .await
    .unwrap();
    bus.tenant("acme").publish(created(1)).await.unwrap();
    bus.drain().await.assert_ok();
    assert_eq!(ear.heard(), [("knows".to_owned(), 1, true, false)]);
    let page = bus.engine().events(busway::raw::EventQuery { limit: 10, ..Default::default() }).await.unwrap();
    let tenants: Vec<_> = page.entries.iter().map(|entry| entry.event().unwrap().tenant.to_string()).collect();
    assert_eq!(tenants, ["acme", "acme"]);
}

#[tokio::test]
async fn a_replay_is_marked_and_publishes_nothing_twice() {
    let bus = testing::bus().await;
    let ear = Ear::default();
    let inner = ear.clone();
    let greet = bus
        .subscribe("greet", move |event: Event<TicketCreated>, cx: Context| {
            inner.hear(cx.is_replay());
            async move {
                cx.publish(MailSent { to: event.payload.subject }).await?;
                Ok(()) as Result
            }
        })
        .await
        .unwrap();
    bus.publish(created(1)).await.unwrap();
    bus.drain().await.assert_ok();
    greet.replay(Start::Earliest, Start::Latest, None).await.unwrap();
    bus.advance(10 * SECOND).await.assert_ok();
    assert_eq!(ear.heard(), [false, true]);
    assert_eq!(bus.published::<MailSent>().len(), 1);
}
