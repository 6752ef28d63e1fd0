//! What a listener may say of an event: done, again, again at a time of its own, never, not wanted.

use busway::{Context, Event, EventType, Result, Retry, dead, retry_in, skipped};
use serde::{Deserialize, Serialize};
use std::time::Duration;

#[derive(EventType, Serialize, Deserialize)]
#[event("mail.queued")]
struct MailQueued {
    #[event(key)]
    to: String,
}

async fn send(event: Event<MailQueued>, cx: Context) -> Result {
    let to = event.payload.to.as_str();
    println!("{to}, attempt {}", cx.attempt());
    match (to, cx.attempt()) {
        ("busy", 1) => Err(retry_in(Duration::from_millis(20))),
        ("broken", 1) => Err("the server hung up".into()), // any other error: by the policy
        ("nobody", _) => Err(dead("no such address")),
        ("muted", _) => Err(skipped()),
        _ => Ok(()),
    }
}

#[tokio::main]
async fn main() -> Result {
    let bus = busway::open("memory:").await?;
    let mail = bus.subscribe("mail", send).retry(Retry::fixed(Duration::from_millis(10)).attempts(3)).await?;
    for to in ["busy", "broken", "nobody", "muted"] {
        let event = MailQueued { to: to.into() };
        // A reply comes with the run that succeeds, so waiting for one waits for the retries.
        match bus.tenant("acme").publish_and_wait::<()>(event, "mail").await {
            Ok(()) => {}
            Err(error) => println!("{to}: {}", error.kind()),
        }
    }
    bus.idle().await?;
    for letter in mail.dead_letters(10).await? {
        println!("dead: {}", letter.error);
    }
    bus.shutdown().await?;
    Ok(())
}
