use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use busway_core::{ManualClock, Seam, SeededRandom, Stores, Timestamp, memory::Memory};
use busway_engine::{Config, Engine};

use super::memory_outbox::{MemoryOutbox, row};

/// A process whose clock is held, and its outbox.
struct Held {
    clock: Arc<ManualClock>,
    outbox: Arc<MemoryOutbox>,
}

impl Held {
    /// How often the outbox is looked at while this much passes.
    async fn looks(&self, time: Duration) -> usize {
        let before = self.outbox.looks.load(Ordering::Relaxed);
        let step = Duration::from_millis(5);
        for _ in 0..time.as_millis() / step.as_millis() {
            self.clock.advance(step);
            // Nothing waits for anything but the clock: all that can run has run after so many turns.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
        }
        self.outbox.looks.load(Ordering::Relaxed) - before
    }
}

#[tokio::test]
async fn an_idle_outbox_is_looked_at_twice_a_second_and_soon_again_once_something_came() {
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_760_000_000_000)));
    let seam = Seam::new(clock.clone(), Arc::new(SeededRandom::new(1)));
    let outbox = Arc::new(MemoryOutbox::new());
    let stores = Stores { outbox: Some(outbox.clone()), ..Memory::new(seam.clone()).stores() };
    let engines = [
        Engine::start(stores.clone(), Config::default(), seam.clone()).await.unwrap(),
        Engine::start(stores, Config::default(), seam).await.unwrap(),
    ];
    let held = Held { clock, outbox };
    // After 0, 25, 75, 175, 375 and 775 ms, then every 500.
    let first = held.looks(Duration::from_secs(1)).await;
    assert!((5..=8).contains(&first), "{first}");
    assert_eq!(held.looks(Duration::from_secs(20)).await, 40);
    held.outbox.commit([row("shift.created", "{}")]);
    let soon = held.looks(Duration::from_secs(1)).await;
    assert!((6..=9).contains(&soon), "{soon}");
    held.outbox.emptied().await;
    assert_eq!(held.looks(Duration::from_secs(10)).await, 20);
    drop(engines);
}
