use std::panic::AssertUnwindSafe;

use busway::{Context, Event, HOUR, MINUTE, Retry, SECOND, testing};

use crate::tickets::{Ear, MailSent, TicketCreated, created};

/// What a failed assertion says.
fn said(assertion: impl FnOnce()) -> String {
    let panic = std::panic::catch_unwind(AssertUnwindSafe(assertion)).unwrap_err();
    panic.downcast_ref::<String>().cloned().unwrap()
}

#[tokio::test]
async fn nothing_moves_by_itself() {
    let bus = testing::bus().await;
    let before = bus.engine().seam().now();
    let ear = Ear::<TicketCreated>::default();
    bus.subscribe("ear", ear.payloads()).retry(Retry::fixed(SECOND)).await.unwrap();
    bus.fail_next("ear", "not now");
    bus.publish(created(1)).await.unwrap();
    for _ in 0..10 {
        assert_eq!(bus.drain().await.unhandled.len(), 1);
    }
    assert_eq!(bus.engine().seam().now(), before);
    assert!(ear.heard().is_empty());
}

#[tokio::test]
async fn every_run_has_the_same_ids() {
    let mut ids = Vec::new();
    for _ in 0..2 {
        let bus = testing::bus().await;
        ids.push(bus.publish(created(1)).await.unwrap().id);
    }
    assert_eq!(ids[0], ids[1]);
}

#[tokio::test]
async fn a_failing_listener_is_named_with_its_event_and_its_error() {
    let bus = testing::bus().await;
    bus.subscribe("ear", Ear::<TicketCreated>::default().payloads()).retry(Retry::fixed(MINUTE)).await.unwrap();
    bus.fail_next("ear", "503 from chat");
    let id = bus.tenant("acme").publish(created(1)).await.unwrap().id;
    let report = bus.drain().await;
    let said = said(|| report.assert_ok());
    assert!(said.contains(&format!("ear: ticket.created {id} of acme, held after attempt 1: 503 from chat")), "{said}");
    bus.advance(HOUR).await.assert_ok();
}

#[tokio::test]
async fn retries_fall_due_in_their_order() {
    let bus = testing::bus().await;
    let ear = Ear::default();
    for (name, delay) in [("slow", 3 * MINUTE), ("quick", MINUTE)] {
        let ear = ear.clone();
        let clock = bus.engine().seam().clock().clone();
        let start = clock.now();
        bus.subscribe(name, move |_: Event<TicketCreated>, _: Context| {
            ear.hear((name, clock.now().since(start)));
            async { Ok(()) }
        })
        .retry(Retry::fixed(delay).jitter(0.0))
        .await
        .unwrap();
        bus.fail_next(name, "once");
    }
    bus.fail_next("quick", "twice");
    bus.publish(created(1)).await.unwrap();
    bus.advance(HOUR).await.assert_ok();
    assert_eq!(ear.heard(), [("quick", 2 * MINUTE), ("slow", 3 * MINUTE)]);
}

#[tokio::test]
async fn what_was_published_can_be_asked_for_by_type() {
    let bus = testing::bus().await;
    bus.publish(created(1)).await.unwrap();
    bus.publish(MailSent { to: "ada".into() }).await.unwrap();
    assert_eq!(bus.published::<MailSent>()[0].payload.to, "ada");
    bus.assert_published::<TicketCreated>(|event| event.payload.id == 1);
    let said = said(|| bus.assert_published::<TicketCreated>(|event| event.payload.id == 2));
    assert!(said.starts_with("no ticket.created that meets the condition was published, but:"), "{said}");
    assert!(said.contains("\n  mail.sent of default {\"to\":\"ada\"}"), "{said}");
}

#[tokio::test]
async fn an_advance_may_take_a_day() {
    let bus = testing::bus().await;
    let before = bus.engine().seam().now();
    bus.subscribe("ear", Ear::<TicketCreated>::default().payloads()).await.unwrap();
    bus.publish(created(1)).await.unwrap();
    bus.advance(24 * HOUR).await.assert_ok();
    assert_eq!(bus.engine().seam().now().since(before), 24 * HOUR);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_waits_for_what_it_woke_on_many_threads_too() {
    for _ in 0..50 {
        let bus = testing::bus().await;
        bus.subscribe("ear", Ear::<TicketCreated>::default().payloads()).retry(Retry::fixed(MINUTE)).await.unwrap();
        bus.fail_next("ear", "once");
        bus.publish(created(1)).await.unwrap();
        bus.advance(MINUTE).await.assert_ok();
    }
}

#[tokio::test]
async fn a_run_that_never_ends_does_not_hold_the_clock_up() {
    let bus = testing::bus().await;
    let stuck = |_: Event<TicketCreated>, _: Context| std::future::pending();
    bus.subscribe("stuck", stuck).ack_timeout(MINUTE).retry(Retry::default().attempts(1)).await.unwrap();
    bus.publish(created(1)).await.unwrap();
    let report = bus.advance(MINUTE).await;
    assert!(report.to_string().contains("dead after attempt 1"), "{report}");
}
