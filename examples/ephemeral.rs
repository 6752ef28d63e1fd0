//! A subscription that lasts as long as its handle: for a tail, a browser, a test of the eye.

use busway::{Context, Event, NewEvent, Result};
use serde_json::{Value, json};
use tokio::sync::mpsc;

#[tokio::main]
async fn main() -> Result {
    let bus = busway::open("memory:").await?;
    let (sender, mut seen) = mpsc::unbounded_channel();
    let watch = bus
        .ephemeral("shift.* !shift.viewed", move |event: Event<Value>, _: Context| {
            let sent = sender.send(event.event_type.to_string());
            async move { Ok(sent?) }
        })
        .await?;
    for name in ["shift.created", "shift.viewed", "shift.deleted"] {
        bus.tenant("acme").publish(NewEvent::new(name, json!({}))).await?;
    }
    for _ in 0..2 {
        println!("{}", seen.recv().await.ok_or("nothing more to see")?);
    }
    drop(watch);
    println!("over: {}", seen.recv().await.is_none());
    bus.shutdown().await?;
    Ok(())
}
