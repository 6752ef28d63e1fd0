//! Tenants are apart: a tenant's handle publishes for it alone, and its listeners hear it alone.

use busway::{Context, Event, EventType, NewEvent, Result};
use serde::{Deserialize, Serialize};

#[derive(EventType, Serialize, Deserialize)]
#[event("ticket.created")]
struct TicketCreated {
    subject: String,
}

async fn for_acme(event: Event<TicketCreated>, cx: Context) -> Result {
    println!("{} of {}: {}", cx.subscription(), event.tenant, event.payload.subject);
    Ok(())
}

#[tokio::main]
async fn main() -> Result {
    let bus = busway::open("memory:").await?;
    let (acme, hilltop) = (bus.tenant("acme"), bus.tenant("hilltop"));
    acme.subscribe("greet", for_acme).await?;
    acme.publish(TicketCreated { subject: "Fire".into() }).await?;
    hilltop.publish(TicketCreated { subject: "Flood".into() }).await?;
    bus.idle().await?;
    let foreign = NewEvent::from(TicketCreated { subject: "Spy".into() }).tenant("hilltop");
    if let Err(error) = acme.publish(foreign).await {
        println!("{error}");
    }
    bus.shutdown().await?;
    Ok(())
}
