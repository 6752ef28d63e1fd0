//! Publishing that waits for what one listener has to say.

use busway::{Context, Event, EventType, Result, SECOND, dead};
use serde::{Deserialize, Serialize};

#[derive(EventType, Serialize, Deserialize)]
#[event("meeting.planned")]
struct MeetingPlanned {
    #[event(key)]
    id: u32,
    city: String,
}

#[derive(Serialize, Deserialize)]
struct Place {
    name: String,
}

async fn gancio(event: Event<MeetingPlanned>, cx: Context) -> Result {
    if event.payload.city.is_empty() {
        return Err(dead("no city"));
    }
    cx.reply(Place { name: format!("town hall of {}", event.payload.city) })?;
    Ok(())
}

#[tokio::main]
async fn main() -> Result {
    let bus = busway::open("memory:").await?;
    bus.subscribe("gancio", gancio).await?;
    let acme = bus.tenant("acme");
    for (id, city) in [(1, "Turin"), (2, "")] {
        let meeting = MeetingPlanned { id, city: city.into() };
        match acme.publish_and_wait::<Place>(meeting, "gancio").timeout(10 * SECOND).await {
            Ok(place) => println!("meeting {id} is at the {}", place.name),
            Err(error) => println!("meeting {id} has no place: {}", error.kind()),
        }
    }
    bus.shutdown().await?;
    Ok(())
}
