//! Tests hold the clock: nothing moves by itself, and a day takes no time.

use busway::{Bus, Context, Event, EventType, HOUR, Result, Retry, testing};
use serde::{Deserialize, Serialize};

#[derive(EventType, Serialize, Deserialize)]
#[event("user.signed_up")]
struct SignedUp {
    email: String,
}

async fn sign_up(bus: &Bus, email: &str) -> Result {
    bus.tenant("acme").publish(SignedUp { email: email.into() }).await?;
    Ok(())
}

async fn welcome(_: Event<SignedUp>, cx: Context) -> Result {
    println!("attempt {}", cx.attempt());
    Ok(())
}

#[tokio::main]
async fn main() -> Result {
    let bus = testing::bus().await;
    bus.subscribe("welcome", welcome).retry(Retry::fixed(HOUR).jitter(0.0)).await?;
    bus.fail_next("welcome", "503 from the mail server");
    sign_up(&bus, "ada@example.org").await?;
    bus.assert_published::<SignedUp>(|event| event.payload.email == "ada@example.org");
    for unhandled in bus.drain().await.unhandled {
        println!("{}: {}", unhandled.listener, unhandled.error.unwrap_or_default());
    }
    bus.advance(HOUR).await.assert_ok(); // retries fall due
    Ok(())
}
