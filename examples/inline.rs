//! Inline listeners run in the call that emits or publishes; an error of theirs reaches nobody.

use busway::{EventType, Result};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(EventType, Serialize, Deserialize)]
#[event("ticket.created")]
struct TicketCreated {
    #[event(key)]
    id: u32,
}

static COUNT: AtomicU64 = AtomicU64::new(0);

#[tokio::main]
async fn main() -> Result {
    let bus = busway::open("memory:").await?;
    bus.inline("count", |_: &TicketCreated, _| {
        COUNT.fetch_add(1, Ordering::Relaxed);
        Ok(())
    });
    bus.inline_on("log", "ticket.*", |occurrence| {
        println!("{} of {}", occurrence.event_type(), occurrence.tenant());
        Ok(())
    })?;
    let acme = bus.tenant("acme");
    acme.emit(&TicketCreated { id: 1 }); // inline listeners only, nothing stored
    acme.publish(TicketCreated { id: 2 }).await?; // stored, then the same
    println!("{} tickets", COUNT.load(Ordering::Relaxed));
    bus.shutdown().await?;
    Ok(())
}
