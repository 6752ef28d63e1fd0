use busway::{Context, ErrorKind, Event, MINUTE, SECOND, testing};
use tokio::sync::mpsc;

use crate::tickets::{Ear, TicketCreated, created};

#[tokio::test]
async fn run_ends_with_shutdown_elsewhere() {
    let bus = testing::bus().await;
    let elsewhere = bus.clone();
    let (ran, report) = tokio::join!(bus.run(), elsewhere.shutdown());
    ran.unwrap();
    assert_eq!(report.unwrap(), bus.shutdown().await.unwrap());
}

#[tokio::test]
async fn a_bus_that_is_shut_down_takes_nothing_new() {
    let bus = testing::bus().await;
    bus.shutdown().await.unwrap();
    assert_eq!(bus.publish(created(1)).await.unwrap_err().kind(), ErrorKind::Closed);
    let error = bus.subscribe("late", Ear::<TicketCreated>::default().payloads()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn shutdown_waits_for_what_runs() {
    let bus = testing::bus().await;
    let ear = Ear::default();
    let (inner, clock) = (ear.clone(), bus.engine().seam().clock().clone());
    let (started, mut has_started) = mpsc::unbounded_channel();
    bus.subscribe("slow", move |event: Event<TicketCreated>, _: Context| {
        let (ear, clock, started) = (inner.clone(), clock.clone(), started.clone());
        async move {
            started.send(())?;
            clock.sleep(10 * SECOND).await;
            ear.hear(event.payload.id);
            Ok(())
        }
    })
    .await
    .unwrap();
    bus.publish(created(1)).await.unwrap();
    has_started.recv().await.unwrap();
    let closing = bus.clone();
    let (report, _) = tokio::join!(closing.shutdown(), bus.advance(20 * SECOND));
    assert_eq!(ear.heard(), [1]);
    assert_eq!((report.as_ref().unwrap().finished, report.unwrap().cancelled), (1, 0));
}

#[tokio::test]
async fn dropping_the_last_handle_shuts_the_bus_down() {
    let bus = testing::bus().await;
    let engine = bus.engine().clone();
    bus.subscribe("ear", Ear::<TicketCreated>::default().payloads()).await.unwrap();
    let acme = bus.tenant("acme");
    drop(bus);
    acme.publish(created(1)).await.unwrap();
    drop(acme);
    let report = tokio::time::timeout(MINUTE, engine.shutdown()).await;
    report.expect("a second shutdown waits for the first").unwrap();
    assert_eq!(engine.ready().await.unwrap_err().kind(), ErrorKind::Closed);
}
