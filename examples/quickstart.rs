//! A durable listener on a SQLite file. Run it twice: what was heard is not heard again. Ctrl-C ends it.

use busway::{Context, Event, EventType, Result};
use serde::{Deserialize, Serialize};

#[derive(EventType, Serialize, Deserialize)]
#[event("ticket.created")]
struct TicketCreated {
    #[event(key)]
    id: u32,
    subject: String,
}

async fn greet(event: Event<TicketCreated>, _: Context) -> Result {
    println!("{}: {}", event.tenant, event.payload.subject);
    Ok(())
}

#[tokio::main]
async fn main() -> Result {
    let file = std::env::args().nth(1).unwrap_or_else(|| "quickstart.db".into());
    let bus = busway::open(format!("sqlite:{file}")).await?;
    bus.subscribe("greet", greet).await?;
    bus.tenant("acme").publish(TicketCreated { id: 1, subject: "Fire".into() }).await?;
    Ok(bus.run().await?)
}
