use busway::{Context, ErrorKind, Event, MINUTE, Retry, SECOND, dead, testing};
use serde::{Deserialize, Serialize};

use crate::tickets::{Ear, MailSent, TicketCreated, created};

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Place {
    name: String,
}

#[tokio::test]
async fn the_publisher_gets_what_the_listener_replied() {
    let bus = testing::bus().await;
    bus.subscribe("gancio", |event: Event<TicketCreated>, cx: Context| async move {
        cx.reply(Place { name: event.payload.subject })?;
        Ok(())
    })
    .await
    .unwrap();
    let place: Place = bus.tenant("acme").publish_and_wait(created(4), "gancio").await.unwrap();
    assert_eq!(place, Place { name: "ticket 4".into() });
    bus.drain().await.assert_ok();
}

#[tokio::test]
async fn the_reply_of_the_run_that_succeeds_counts() {
    let bus = testing::bus().await;
    bus.subscribe("second", |_: Event<TicketCreated>, cx: Context| async move {
        cx.reply(cx.attempt())?;
        if cx.attempt() == 1 { Err("not yet".into()) } else { Ok(()) }
    })
    .retry(Retry::fixed(SECOND))
    .await
    .unwrap();
    let acme = bus.tenant("acme");
    let wait = async { acme.publish_and_wait::<u32>(created(1), "second").await };
    let (reply, report) = tokio::join!(wait, async {
        let _ = bus.advance(SECOND).await;
        bus.drain().await
    });
    report.assert_ok();
    assert_eq!(reply.unwrap(), 2);
}

#[tokio::test]
async fn a_delivery_that_dies_is_an_error_with_its_reason() {
    let bus = testing::bus().await;
    bus.subscribe("strict", |_: Event<TicketCreated>, _: Context| async { Err(dead("no such place")) }).await.unwrap();
    bus.subscribe("weak", |_: Event<TicketCreated>, _: Context| async { Err("too weak".into()) })
        .retry(Retry::default().attempts(1))
        .await
        .unwrap();
    bus.subscribe("nervous", |_: Event<TicketCreated>, _: Context| async { panic!("oh") })
        .retry(Retry::default().attempts(1))
        .await
        .unwrap();
    for (name, reason) in [("strict", "no such place"), ("weak", "too weak"), ("nervous", "panicked")] {
        let error = bus.publish_and_wait::<Place>(created(1), name).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Handler);
        assert!(error.detail().contains(reason), "{error}");
    }
}

#[tokio::test]
async fn a_listener_that_never_replies_is_an_error() {
    let bus = testing::bus().await;
    bus.subscribe("silent", Ear::<TicketCreated>::default().payloads()).await.unwrap();
    let error = bus.publish_and_wait::<Place>(created(1), "silent").await.unwrap_err();
    assert!(error.detail().contains("without a reply"), "{error}");
}

#[tokio::test]
async fn the_wait_ends_after_its_time() {
    let bus = testing::bus().await;
    let clock = bus.engine().seam().clock().clone();
    bus.subscribe("slow", move |_: Event<TicketCreated>, _: Context| {
        let clock = clock.clone();
        async move {
            clock.sleep(20 * SECOND).await;
            Ok(())
        }
    })
    .await
    .unwrap();
    let wait = async { bus.publish_and_wait::<Place>(created(1), "slow").timeout(5 * SECOND).await };
    let (reply, _) = tokio::join!(wait, bus.advance(MINUTE));
    assert_eq!(reply.unwrap_err().kind(), ErrorKind::OutcomeUnknown);
}

#[tokio::test]
async fn who_cannot_reply_is_not_waited_for() {
    let bus = testing::bus().await;
    bus.subscribe("mail", Ear::<MailSent>::default().payloads()).await.unwrap();
    for (name, reason) in [("nobody", "no listener `nobody`"), ("mail", "does not hear ticket.created")] {
        let error = bus.publish_and_wait::<Place>(created(1), name).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.detail().contains(reason), "{error}");
    }
    assert_eq!(bus.drain().await.published, 0);
}

#[tokio::test]
async fn a_repeat_of_an_event_that_was_handled_is_not_waited_for() {
    let bus = testing::bus().await;
    bus.subscribe("once", |_: Event<TicketCreated>, cx: Context| async move { Ok(cx.reply(1)?) }).await.unwrap();
    let id = uuid::Uuid::from_u128(77);
    assert_eq!(bus.publish_and_wait::<u32>(created(1), "once").id(id).await.unwrap(), 1);
    bus.drain().await.assert_ok();
    let error = bus.publish_and_wait::<u32>(created(1), "once").id(id).await.unwrap_err();
    assert!(error.detail().contains("handled event"), "{error}");
}

#[tokio::test]
async fn a_tenants_own_listener_replies_before_the_installations() {
    let bus = testing::bus().await;
    let acme = bus.tenant("acme");
    bus.subscribe("who", |_: Event<TicketCreated>, cx: Context| async move { Ok(cx.reply("all")?) }).await.unwrap();
    acme.subscribe("who", |_: Event<TicketCreated>, cx: Context| async move { Ok(cx.reply("acme")?) }).await.unwrap();
    assert_eq!(acme.publish_and_wait::<String>(created(1), "who").await.unwrap(), "acme");
    assert_eq!(bus.tenant("hilltop").publish_and_wait::<String>(created(1), "who").await.unwrap(), "all");
}
