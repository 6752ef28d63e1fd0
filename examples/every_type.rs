//! Types known by name alone: published from JSON, heard as JSON, chosen by pattern.

use busway::{Context, Event, NewEvent, Result};
use serde_json::{Value, json};

async fn log(event: Event<Value>, cx: Context) -> Result {
    println!("{} heard {} of {}: {}", cx.subscription(), event.event_type, event.tenant, event.payload);
    Ok(())
}

#[tokio::main]
async fn main() -> Result {
    let bus = busway::open("memory:").app("demo").await?;
    bus.on("donation.*", log).await?;
    bus.publish(NewEvent::new("donation.completed", json!({"amount": 40})).tenant("acme")).await?;
    bus.publish(NewEvent::new("page.viewed", json!({"path": "/"})).tenant("acme")).await?;
    bus.idle().await?;
    bus.shutdown().await?;
    Ok(())
}
