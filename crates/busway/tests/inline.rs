use std::{
    cell::Cell,
    sync::atomic::{AtomicU32, Ordering},
};

use busway::{NewEvent, testing};
use serde_json::{Value, json};

use crate::tickets::{Ear, TicketClosed, TicketCreated, created};

#[tokio::test]
async fn it_hears_what_is_emitted_and_what_is_published_before_the_call_returns() {
    static SUM: AtomicU32 = AtomicU32::new(0);
    let bus = testing::bus().await;
    bus.inline("sum", |ticket: &TicketCreated, _| {
        SUM.fetch_add(ticket.id, Ordering::Relaxed);
        Ok(())
    });
    let acme = bus.tenant("acme");
    acme.emit(&created(1));
    assert_eq!(SUM.load(Ordering::Relaxed), 1);
    acme.publish(created(20)).await.unwrap();
    assert_eq!(SUM.load(Ordering::Relaxed), 21);
    bus.emit(&created(300));
    bus.emit(&TicketClosed { id: 4000 });
    assert_eq!(SUM.load(Ordering::Relaxed), 321);
}

#[tokio::test]
async fn listeners_run_in_the_order_of_registration_and_an_error_reaches_nobody() {
    let bus = testing::bus().await;
    let ear = Ear::default();
    for name in ["first", "failing", "panicking", "last"] {
        let ear = ear.clone();
        bus.inline(name, move |ticket: &TicketCreated, cx| {
            ear.hear(format!("{name} {} {}", cx.tenant(), ticket.id));
            match name {
                "failing" => Err("no".into()),
                "panicking" => panic!("no"),
                _ => Ok(()),
            }
        });
    }
    bus.tenant("acme").emit(&created(1));
    assert_eq!(ear.heard(), ["first acme 1", "failing acme 1", "panicking acme 1", "last acme 1"]);
    let stats = bus.engine().inline().stats();
    let failed: Vec<_> =
        stats.listeners.iter().filter(|listener| listener.failed > 0).map(|listener| &*listener.name).collect();
    assert_eq!(failed, ["failing", "panicking"]);
}

#[tokio::test]
async fn what_is_emitted_is_not_stored_and_not_serialised() {
    thread_local!(static WRITTEN: Cell<u32> = const { Cell::new(0) });

    #[derive(busway::EventType, serde::Serialize, serde::Deserialize)]
    #[event("page.viewed")]
    struct PageViewed {
        #[serde(serialize_with = "counted")]
        path: String,
    }
    fn counted<S: serde::Serializer>(path: &str, serializer: S) -> Result<S::Ok, S::Error> {
        WRITTEN.with(|written| written.set(written.get() + 1));
        serializer.serialize_str(path)
    }

    let bus = testing::bus().await;
    let ear = Ear::default();
    let inner = ear.clone();
    bus.inline("views", move |viewed: &PageViewed, _| {
        inner.hear(viewed.path.clone());
        Ok(())
    });
    bus.emit(&PageViewed { path: "/".into() });
    assert_eq!((ear.heard(), WRITTEN.get()), (vec!["/".to_owned()], 0));
    assert_eq!(bus.drain().await.published, 0);
}

#[tokio::test]
async fn a_duplicate_is_not_heard_again() {
    let bus = testing::bus().await;
    let ear = Ear::default();
    let inner = ear.clone();
    bus.inline("ear", move |ticket: &TicketCreated, _| {
        inner.hear(ticket.id);
        Ok(())
    });
    let first = bus.publish(created(1)).await.unwrap();
    bus.publish(created(1)).id(first.id).await.unwrap();
    assert_eq!(ear.heard(), [1]);
}

#[tokio::test]
async fn patterns_hear_every_type_that_matches_until_removed() {
    let bus = testing::bus().await;
    let ear = Ear::default();
    let inner = ear.clone();
    let registration = bus
        .inline_on("log", "ticket.* !ticket.closed", move |occurrence| {
            let payload: Value = occurrence.payload()?.parse()?;
            inner.hear(format!("{} {payload}", occurrence.event_type()));
            Ok(())
        })
        .unwrap();
    bus.emit(&created(1));
    bus.emit(&TicketClosed { id: 1 });
    bus.publish(NewEvent::new("ticket.tagged", json!({"tag": "fire"}))).await.unwrap();
    registration.remove();
    bus.emit(&created(2));
    assert_eq!(ear.heard(), [r#"ticket.created {"id":1,"subject":"ticket 1"}"#, r#"ticket.tagged {"tag":"fire"}"#]);
    assert!(bus.inline_on("log", "ticket..", |_| Ok(())).is_err());
}
