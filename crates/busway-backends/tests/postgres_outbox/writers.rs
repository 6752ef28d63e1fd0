use std::{
    collections::BTreeSet,
    env,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use busway_core::{Random, SeededRandom};
use busway_testbed::postgres::Server;
use tokio_postgres::Client;
use uuid::Uuid;

use super::shop::Shop;

const WRITERS: u64 = 32;

/// Transactions of each writer: `BUSWAY_OUTBOX_TRANSACTIONS`, else 20.
fn transactions() -> u64 {
    env::var("BUSWAY_OUTBOX_TRANSACTIONS").ok().and_then(|count| count.parse().ok()).unwrap_or(20)
}

/// Changes one to three of twelve orders in each transaction, holds it open for a while, and rolls every fifth back.
async fn write(client: Client, writer: u64) {
    let random = SeededRandom::new(writer);
    let pick = |of: u64| random.next() % of;
    for _ in 0..transactions() {
        // In one order, so that nobody waits for one who waits for it.
        let keys: BTreeSet<String> = (0..=pick(3)).map(|_| format!("o{:02}", pick(12))).collect();
        client.batch_execute("begin").await.unwrap();
        for key in keys {
            client.query_one("select change($1)", &[&key]).await.unwrap();
        }
        client.query_one("select pg_sleep($1)", &[&(pick(15) as f64 / 1_000.0)]).await.unwrap();
        client.batch_execute(if pick(5) == 0 { "rollback" } else { "commit" }).await.unwrap();
    }
}

/// Reads a table by its sequence, as one would who does not know better.
async fn read_by_id(client: Client, stop: Arc<AtomicBool>) -> BTreeSet<Uuid> {
    let mut position = 0_i64;
    let mut seen = BTreeSet::new();
    loop {
        let is_last = stop.load(Ordering::Acquire);
        let rows =
            client.query("select id, event from unguarded where id > $1 order by id", &[&position]).await.unwrap();
        for row in &rows {
            position = row.get(0);
            seen.insert(row.get(1));
        }
        if is_last {
            return seen;
        }
        client.query_one("select pg_sleep(0.002)", &[]).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_many_writers_commit_late_or_early_is_heard_once_in_the_order_of_its_key() {
    let Some(server) = Server::shared() else { return };
    let shop = Shop::open(server).await;
    let stop = Arc::new(AtomicBool::new(false));
    let by_id = tokio::spawn(read_by_id(shop.client().await, stop.clone()));

    let long = shop.client().await;
    long.batch_execute("begin").await.unwrap();
    let first: Uuid = long.query_one("select change('long')", &[]).await.unwrap().get(0);
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        writers.push(tokio::spawn(write(shop.client().await, writer)));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    // Nobody waits for the open transaction, whose row has the lowest number of all.
    let before = shop.check_heard().await;
    assert!(!before.events.contains(&first));
    let second: Uuid = long.query_one("select change('long')", &[]).await.unwrap().get(0);
    long.batch_execute("commit").await.unwrap();
    let told = shop.check_heard().await;
    assert_eq!(told.events.len(), before.events.len() + 2);

    stop.store(true, Ordering::Release);
    let by_id = by_id.await.unwrap();
    let lost = told.events.difference(&by_id).count();
    println!(
        "{WRITERS} writers committed {} events of {} keys, all heard; reading by id > position lost {lost}",
        told.events.len(),
        told.counts.len()
    );
    assert!(told.events.contains(&first) && told.events.contains(&second));
    assert!(!by_id.contains(&first), "a reader by id has seen what was committed last and numbered first");
    shop.engine.shutdown().await.unwrap();
}
