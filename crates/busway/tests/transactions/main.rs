//! Publishing in transactions of the caller's own.

#![allow(clippy::unwrap_used, reason = "a server that cannot be used ends its test")]

mod by_sqlx;
mod by_tokio_postgres;
mod once;
mod refused;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use busway::{Bus, Context, Event, EventType, Listener, Result};
use busway_testbed::postgres::{Database, Server};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use uuid::Uuid;

#[derive(Clone, Debug, EventType, Serialize, Deserialize)]
#[event("order.placed")]
struct OrderPlaced {
    #[event(key)]
    order: u32,
    n: u32,
}

/// A bus in a database of its own, and what its listener has heard.
struct Shop {
    database: Database,
    bus: Bus,
    heard: Heard,
}

impl Shop {
    async fn open() -> Option<Self> {
        let database = Server::shared()?.database();
        let bus = busway::open(format!("{}?pool=4", database.url)).app("shop").await.unwrap();
        let heard = Heard::default();
        bus.subscribe("ledger", heard.clone()).await.unwrap();
        Some(Self { database, bus, heard })
    }
}

/// Notes what it hears.
#[derive(Clone, Default)]
struct Heard {
    events: Arc<Mutex<Vec<Event<OrderPlaced>>>>,
    count: Arc<watch::Sender<usize>>,
}

impl Heard {
    /// Waits until so many were heard; their ids and numbers.
    async fn until(&self, count: usize) -> Vec<(Uuid, u32)> {
        let mut counted = self.count.subscribe();
        let waited = tokio::time::timeout(Duration::from_secs(60), counted.wait_for(|heard| *heard >= count)).await;
        let events = self.events.lock().unwrap();
        assert!(waited.is_ok(), "heard {} of {count}", events.len());
        events.iter().map(|event| (event.id, event.payload.n)).collect()
    }
}

impl Listener<OrderPlaced> for Heard {
    async fn handle(&self, event: Event<OrderPlaced>, _: Context) -> Result {
        self.events.lock().unwrap().push(event);
        self.count.send_modify(|count| *count += 1);
        Ok(())
    }
}
