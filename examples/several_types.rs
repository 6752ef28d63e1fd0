//! One listener for several types: an enum with a variant for each, and a struct that keeps state.

use busway::{Context, Event, EventType, Listener, OnDead, Payload, Result, Retry, SECOND, dead};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU32, Ordering};

#[derive(EventType, Serialize, Deserialize)]
#[event("shift.created")]
struct ShiftCreated {
    #[event(key)]
    id: u32,
    title: String,
}

#[derive(EventType, Serialize, Deserialize)]
#[event("shift.deleted")]
struct ShiftDeleted {
    #[event(key)]
    id: u32,
}

#[derive(Payload)]
enum Shift {
    Created(ShiftCreated),
    Deleted(ShiftDeleted),
}

struct Chat {
    said: AtomicU32,
}

impl Listener<Shift> for Chat {
    async fn handle(&self, event: Event<Shift>, _: Context) -> Result {
        let text = match event.payload {
            Shift::Created(shift) if shift.title.is_empty() => return Err(dead("no title")),
            Shift::Created(shift) => format!("shift {} is open: {}", shift.id, shift.title),
            Shift::Deleted(shift) => format!("shift {} is off", shift.id),
        };
        let number = self.said.fetch_add(1, Ordering::Relaxed) + 1;
        println!("{number}. {text}");
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result {
    let bus = busway::open("memory:").await?;
    bus.subscribe("chat", Chat { said: AtomicU32::new(0) })
        .on("shift.*")
        .except("shift.viewed")
        .concurrency(16)
        .retry(Retry::exponential(SECOND).attempts(8).jitter(0.2))
        .on_dead(OnDead::Block)
        .await?;
    let acme = bus.tenant("acme");
    acme.publish(ShiftCreated { id: 1, title: "Door".into() }).await?;
    acme.publish(ShiftDeleted { id: 1 }).await?;
    bus.idle().await?;
    bus.shutdown().await?;
    Ok(())
}
