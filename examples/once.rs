//! An id of the caller's own makes publishing safe to repeat; a batch is stored whole or not at all.

use busway::{Context, Event, EventType, NewEvent, Result};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(EventType, Serialize, Deserialize)]
#[event("order.placed")]
struct OrderPlaced {
    #[event(key)]
    order: u32,
}

async fn ship(event: Event<OrderPlaced>, _: Context) -> Result {
    println!("ship {}", event.payload.order);
    Ok(())
}

#[tokio::main]
async fn main() -> Result {
    let bus = busway::open("memory:").await?;
    bus.subscribe("ship", ship).await?;
    let acme = bus.tenant("acme");
    let request = Uuid::from_u128(0x0190_a2c4_0000_7000_8000_0000_0000_0001); // from the caller's request
    let first = acme.publish(OrderPlaced { order: 1 }).id(request).await?;
    let again = acme.publish(OrderPlaced { order: 1 }).id(request).await?;
    bus.idle().await?;
    println!("duplicate: {}, {}", first.duplicate, again.duplicate);
    let batch = [NewEvent::from(OrderPlaced { order: 2 }), NewEvent::from(OrderPlaced { order: 3 }).key("")];
    if let Err(error) = acme.publish_all(batch).await {
        println!("{error}");
    }
    bus.shutdown().await?;
    Ok(())
}
