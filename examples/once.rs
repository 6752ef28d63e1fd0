// An id of the caller's own makes publishing safe to repeat; a batch is stored whole or not at all.
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
    for _ in 0..2 {
        let published = acme.publish(OrderPlaced { order: 1 }).id(request).await?;
        println!("duplicate: {}", published.duplicate);
    }
    let batch = [NewEvent::from(OrderPlaced { order: 2 }), NewEvent::from(OrderPlaced { order: 3 }).key("")];
    if let Err(error) = acme.publish_all(batch).await {
        println!("{error}");
    }
    bus.idle().await?;
    bus.shutdown().await?;
    Ok(())
}
