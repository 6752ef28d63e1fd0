//! A dead letter is kept until someone decides: here it is edited and run again.

use busway::{Context, Event, EventType, OnDead, Result, dead, raw};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

#[derive(EventType, Serialize, Deserialize)]
#[event("invoice.sent")]
struct InvoiceSent {
    #[event(key)]
    customer: u32,
    email: String,
}

#[tokio::main]
async fn main() -> Result {
    let bus = busway::open("memory:").await?;
    let (sender, mut told) = mpsc::unbounded_channel();
    let mail = bus
        .subscribe("mail", move |event: Event<InvoiceSent>, _: Context| {
            let sender = sender.clone();
            async move {
                let email = event.payload.email;
                if !email.contains('@') {
                    return Err(dead(format!("{email:?} is no address")));
                }
                Ok(sender.send(email)?)
            }
        })
        .on_dead(OnDead::Block) // later invoices of the customer wait for the decision
        .await?;
    for email in ["ada.example.org", "bo@example.org"] {
        bus.tenant("acme").publish(InvoiceSent { customer: 1, email: email.into() }).await?;
    }
    bus.idle().await?;
    for letter in mail.dead_letters(10).await? {
        println!("dead: {}", letter.error);
        let mended = raw::Payload::of(&InvoiceSent { customer: 1, email: "ada@example.org".into() })?;
        bus.engine().edit_dead_letter(None, letter.id, mended).await?;
        bus.engine().retry_dead_letter(None, letter.id).await?;
    }
    for _ in 0..2 {
        println!("mailed {}", told.recv().await.ok_or("nobody mails any more")?);
    }
    bus.shutdown().await?;
    Ok(())
}
