//! The server killed for real, with publishers and pullers at work: what it had acknowledged is there, in order.

#![allow(clippy::unwrap_used, reason = "a test ends where something is not as expected")]

#[path = "kill/client.rs"]
mod client;
#[path = "kill/server.rs"]
mod server;
#[path = "kill/tally.rs"]
mod tally;

use std::{
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::{Duration, Instant},
};

use client::Client;
use server::Server;
use tally::Tally;

const EVENTS: u64 = 20_000;
const PUBLISHERS: u64 = 8;
const BATCH: u64 = 10;
const KEYS: u64 = 8;
const SUBSCRIPTIONS: [&str; 3] = ["crm", "chat", "calendar"];
/// Without anything new for this long, what has not arrived is lost.
const PATIENCE: Duration = Duration::from_secs(120);

/// What has been acknowledged.
enum Step {
    Published(u64),
    Settled(u64),
}

/// Publishes its share, each call until it is acknowledged, under the same ids.
fn publish(publisher: u64, client: &Client, steps: &Sender<Step>) {
    let share = EVENTS / PUBLISHERS;
    for from in (0..share).step_by(BATCH as usize) {
        let events: Vec<_> = (from..from + BATCH)
            .map(|n| {
                serde_json::json!({
                    "id": uuid::Uuid::new_v4(), "type": "order.placed", "tenantId": "acme",
                    "key": format!("{publisher}-{}", n % KEYS), "payload": { "publisher": publisher, "n": n },
                })
            })
            .collect();
        client.until_answered("POST", "/api/events", &serde_json::Value::from(events));
        steps.send(Step::Published(BATCH)).unwrap();
    }
}

/// Pulls and acknowledges until everything has arrived, or nothing comes any more.
fn pull(subscription: &str, client: &Client, steps: &Sender<Step>) -> Tally {
    let mut tally = Tally::new(PUBLISHERS, EVENTS / PUBLISHERS, KEYS);
    let mut last = Instant::now();
    while tally.left() > 0 && last.elapsed() < PATIENCE {
        let path = format!("/api/subscriptions/{subscription}");
        let body = serde_json::json!({ "max": 100, "waitMs": 1_000 });
        let pulled = client.until_answered("POST", &format!("{path}/pull"), &body);
        let deliveries = pulled["deliveries"].as_array().unwrap();
        if deliveries.is_empty() {
            continue;
        }
        last = Instant::now();
        deliveries.iter().for_each(|delivery| tally.arrived(&delivery["event"]["payload"]));
        let ids: Vec<_> = deliveries.iter().map(|delivery| delivery["deliveryId"].clone()).collect();
        // What was settled before an answer was lost is stale the second time.
        client.until_answered("POST", &format!("{path}/settle"), &serde_json::json!({ "ack": ids }));
        steps.send(Step::Settled(ids.len() as u64)).unwrap();
    }
    tally
}

/// Waits until so many are published and so many settled.
fn wait_for(steps: &Receiver<Step>, done: &mut (u64, u64), due: (u64, u64)) {
    while done.0 < due.0 || done.1 < due.1 {
        match steps.recv_timeout(PATIENCE).unwrap() {
            Step::Published(more) => done.0 += more,
            Step::Settled(more) => done.1 += more,
        }
    }
}

#[test]
fn a_killed_server_loses_nothing_it_had_acknowledged_and_keeps_the_order_of_every_key() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path(), None);
    let address = server.address().to_owned();
    let client = Client::new(&address);
    for name in SUBSCRIPTIONS {
        let body = serde_json::json!({ "types": ["order.*"], "mode": "pull", "ackTimeoutMs": 2_000 });
        client.until_answered("PUT", &format!("/api/subscriptions/{name}"), &body);
    }
    let (sender, steps) = channel();
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|publisher| {
            let (client, sender) = (Client::new(&address), sender.clone());
            thread::spawn(move || publish(publisher, &client, &sender))
        })
        .collect();
    let pullers: Vec<_> = SUBSCRIPTIONS
        .iter()
        .map(|name| {
            let (client, sender) = (Client::new(&address), sender.clone());
            thread::spawn(move || pull(name, &client, &sender))
        })
        .collect();

    let mut done = (0, 0);
    for part in 1..=3 {
        wait_for(&steps, &mut done, (EVENTS * part / 4, EVENTS * part / 8));
        server.kill();
        server = Server::start(folder.path(), Some(&address));
    }
    publishers.into_iter().for_each(|publisher| publisher.join().unwrap());
    let tallies: Vec<Tally> = pullers.into_iter().map(|puller| puller.join().unwrap()).collect();
    for (name, tally) in SUBSCRIPTIONS.iter().zip(&tallies) {
        println!("{name}: published {EVENTS}, killed 3 times, {tally}");
    }
    assert!(tallies.iter().all(|tally| tally.left() == 0 && tally.out_of_order() == 0), "{tallies:?}");
}
