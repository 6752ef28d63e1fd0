//! What a listener publishes names its cause, and a repeated delivery publishes it once.

use busway::{Context, Event, EventType, Result, Retry};
use serde::{Deserialize, Serialize};
use std::time::Duration;

#[derive(EventType, Serialize, Deserialize)]
#[event("donation.completed")]
struct DonationCompleted {
    #[event(key)]
    donor: u32,
    cents: u64,
}

#[derive(EventType, Serialize, Deserialize)]
#[event("thanks.due")]
struct ThanksDue {
    donor: u32,
}

async fn thank(event: Event<DonationCompleted>, cx: Context) -> Result {
    cx.publish(ThanksDue { donor: event.payload.donor }).await?;
    if cx.attempt() == 1 {
        return Err("the answer was lost".into());
    }
    Ok(cx.reply(event.payload.cents)?)
}

async fn print(event: Event<ThanksDue>, _: Context) -> Result {
    let correlation = event.metadata.get("correlationId").unwrap_or_default();
    println!("thank donor {} ({correlation}, {} hop)", event.payload.donor, event.metadata.hops());
    Ok(())
}

#[tokio::main]
async fn main() -> Result {
    let bus = busway::open("memory:").await?;
    bus.subscribe("thank", thank).retry(Retry::fixed(Duration::from_millis(10))).await?;
    bus.subscribe("print", print).await?;
    let donation = DonationCompleted { donor: 7, cents: 4000 };
    let _: u64 = bus.tenant("acme").publish_and_wait(donation, "thank").correlation("gala").await?;
    bus.idle().await?;
    bus.shutdown().await?;
    Ok(())
}
