use std::time::Duration;

use busway::{Context, Event, HOUR, MINUTE, NewEvent, OnDead, Result, Retry, SECOND, dead, retry_in, skipped, testing};
use serde_json::json;

use crate::tickets::{Ear, TicketCreated, created};

/// Fails as often as is said, and hears every attempt.
fn fails(times: u32, ear: &Ear<u32>) -> impl Fn(Event<TicketCreated>, Context) -> std::future::Ready<Result> + use<> {
    let ear = ear.clone();
    move |_, cx| {
        ear.hear(cx.attempt());
        std::future::ready(if cx.attempt() > times { Ok(()) } else { Err("not yet".into()) })
    }
}

fn no_chance(retry: Retry) -> Retry {
    retry.jitter(0.0)
}

#[tokio::test]
async fn an_error_is_retried_by_policy_until_it_succeeds() {
    let bus = testing::bus().await;
    let ear = Ear::default();
    bus.subscribe("flaky", fails(2, &ear)).retry(no_chance(Retry::exponential(SECOND))).await.unwrap();
    bus.publish(created(1)).await.unwrap();
    assert_eq!(bus.drain().await.unhandled[0].error.as_deref(), Some("not yet"));
    assert_eq!(ear.heard(), [1]);
    let _ = bus.advance(Duration::from_millis(999)).await;
    assert_eq!(ear.heard(), [1]);
    let _ = bus.advance(Duration::from_millis(1)).await;
    assert_eq!(ear.heard(), [1, 2]);
    bus.advance(2 * SECOND).await.assert_ok();
    assert_eq!(ear.heard(), [1, 2, 3]);
}

#[tokio::test]
async fn the_last_attempt_ends_in_a_dead_letter() {
    let bus = testing::bus().await;
    let ear = Ear::default();
    let flaky = bus.subscribe("flaky", fails(9, &ear)).retry(Retry::fixed(SECOND).attempts(3)).await.unwrap();
    let event = bus.publish(created(1)).await.unwrap();
    let report = bus.advance(MINUTE).await;
    assert_eq!(ear.heard(), [1, 2, 3]);
    let [letter] = flaky.dead_letters(10).await.unwrap().try_into().unwrap();
    assert_eq!(letter.entry.event().unwrap().id, event.id);
    assert_eq!((letter.attempts, &*letter.error), (3, "not yet"));
    assert_eq!(report.unhandled[0].error.as_deref(), Some("not yet"));
    assert_eq!(report.unhandled[0].attempts, 3);
}

#[tokio::test]
async fn retry_in_overrides_the_policys_delay() {
    let bus = testing::bus().await;
    let ear = Ear::default();
    let inner = ear.clone();
    bus.subscribe("later", move |_: Event<TicketCreated>, cx: Context| {
        inner.hear(cx.attempt());
        async move { if cx.attempt() == 1 { Err(retry_in(HOUR)) } else { Ok(()) } }
    })
    .await
    .unwrap();
    bus.publish(created(1)).await.unwrap();
    let _ = bus.advance(59 * MINUTE).await;
    assert_eq!(ear.heard(), [1]);
    bus.advance(MINUTE).await.assert_ok();
    assert_eq!(ear.heard(), [1, 2]);
}

#[tokio::test]
async fn dead_needs_no_second_try() {
    let bus = testing::bus().await;
    let refuse = |_: Event<TicketCreated>, _: Context| async { Err(dead("no title")) };
    let strict = bus.subscribe("strict", refuse).await.unwrap();
    bus.publish(created(1)).await.unwrap();
    let report = bus.drain().await;
    let [letter] = strict.dead_letters(10).await.unwrap().try_into().unwrap();
    assert_eq!((letter.attempts, &*letter.error), (1, "no title"));
    assert!(report.to_string().contains("strict: ticket.created"), "{report}");
    assert!(report.to_string().contains("dead after attempt 1: no title"), "{report}");
}

#[tokio::test]
async fn skipped_is_acknowledged() {
    let bus = testing::bus().await;
    bus.subscribe("off", |_: Event<TicketCreated>, _: Context| async { Err(skipped()) }).await.unwrap();
    bus.publish(created(1)).await.unwrap();
    bus.drain().await.assert_ok();
}

#[tokio::test]
async fn a_panic_counts_as_a_failure() {
    let bus = testing::bus().await;
    let panics = |_: Event<TicketCreated>, cx: Context| async move {
        assert!(cx.attempt() > 1, "the first time is too early");
        Ok(())
    };
    bus.subscribe("nervous", panics).retry(Retry::fixed(SECOND)).await.unwrap();
    bus.publish(created(1)).await.unwrap();
    let report = bus.drain().await;
    assert!(report.to_string().contains("the first time is too early"), "{report}");
    bus.advance(SECOND).await.assert_ok();
}

#[tokio::test]
async fn a_payload_that_does_not_fit_is_dead_and_says_where() {
    let bus = testing::bus().await;
    let ear = Ear::<TicketCreated>::default();
    let typed = bus.subscribe("typed", ear.payloads()).await.unwrap();
    bus.publish(NewEvent::new("ticket.created", json!({"id": "one", "subject": ""}))).await.unwrap();
    bus.publish(created(2)).await.unwrap();
    let _ = bus.drain().await;
    let [letter] = typed.dead_letters(10).await.unwrap().try_into().unwrap();
    assert_eq!(letter.attempts, 1);
    assert!(letter.error.starts_with("payload at /id: invalid type: string \"one\""), "{}", letter.error);
    assert_eq!(ear.heard(), [created(2)]);
}

#[tokio::test]
async fn after_a_dead_letter_its_key_goes_on_or_is_blocked() {
    for (on_dead, heard) in [(OnDead::Skip, 1), (OnDead::Block, 0)] {
        let bus = testing::bus().await;
        let ear = Ear::default();
        let inner = ear.clone();
        bus.subscribe("strict", move |event: Event<TicketCreated>, _: Context| {
            let refused = event.payload.subject.is_empty();
            if !refused {
                inner.hear(event.payload.id);
            }
            async move { if refused { Err(dead("no subject")) } else { Ok(()) } }
        })
        .on_dead(on_dead)
        .await
        .unwrap();
        bus.publish(TicketCreated { id: 1, subject: String::new() }).await.unwrap();
        bus.publish(created(1)).await.unwrap();
        bus.publish(created(2)).await.unwrap();
        let _ = bus.drain().await;
        assert_eq!(ear.heard().iter().filter(|id| **id == 1).count(), heard, "{on_dead:?}");
        assert!(ear.heard().contains(&2), "{on_dead:?}");
    }
}

#[tokio::test]
async fn a_run_that_takes_too_long_fails_unless_it_asks_for_more_time() {
    for (asks, runs) in [(false, 2), (true, 1)] {
        let bus = testing::bus().await;
        let clock = bus.engine().seam().clock().clone();
        let ear = Ear::default();
        let inner = ear.clone();
        bus.subscribe("slow", move |_: Event<TicketCreated>, cx: Context| {
            inner.hear(cx.attempt());
            let clock = clock.clone();
            async move {
                if asks {
                    cx.extend(MINUTE);
                }
                if cx.attempt() == 1 {
                    clock.sleep(30 * SECOND).await;
                }
                Ok(())
            }
        })
        .ack_timeout(10 * SECOND)
        .retry(Retry::fixed(SECOND))
        .await
        .unwrap();
        bus.publish(created(1)).await.unwrap();
        bus.advance(2 * MINUTE).await.assert_ok();
        assert_eq!(ear.heard().len(), runs, "asks for more time: {asks}");
    }
}
