//! Stored events once more, to one subscription alone: a listener that was wrong makes up for it.

use busway::{Context, Event, EventType, Result, Start};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

#[derive(EventType, Serialize, Deserialize)]
#[event("score.given")]
struct ScoreGiven {
    #[event(key)]
    player: u32,
    points: u32,
}

#[tokio::main]
async fn main() -> Result {
    let bus = busway::open("memory:").await?;
    let (sender, mut told) = mpsc::unbounded_channel();
    let board = bus
        .subscribe("board", move |event: Event<ScoreGiven>, cx: Context| {
            let told = sender.send((event.payload.points, cx.is_replay()));
            async move { Ok(told?) }
        })
        .await?;
    for points in [10, 20] {
        bus.tenant("acme").publish(ScoreGiven { player: 1, points }).await?;
    }
    bus.idle().await?;
    board.replay(Start::Earliest, Start::Latest, None).await?;
    for _ in 0..4 {
        let (points, again) = told.recv().await.ok_or("nobody keeps the score")?;
        println!("{points}{}", if again { ", replayed" } else { "" });
    }
    bus.shutdown().await?;
    Ok(())
}
