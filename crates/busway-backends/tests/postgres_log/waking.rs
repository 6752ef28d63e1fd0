use std::time::Instant;

use busway_backends::postgres::Postgres;
use busway_core::{Log, Wake};
use busway_testbed::{
    pgbouncer::PgBouncer,
    postgres::{Database, Server},
};
use tokio_postgres::Client;

use crate::stage::{append_one, open, soon, until};

/// Waits until a wake-up follows from a notification that tells of nothing: who polls would not notice it.
async fn hears_notifications(client: &Client, wake: &mut Wake) {
    until("a notification wakes", async || {
        let before = *wake.borrow_and_update();
        client.batch_execute("NOTIFY busway_appended, 'somebody'").await.unwrap();
        let woken = wake.wait_for(|count| *count > before);
        tokio::time::timeout(std::time::Duration::from_millis(200), woken).await.is_ok()
    })
    .await;
}

/// Waits until an append by another process wakes.
async fn is_woken_by_appends(other: &Postgres, wake: &mut Wake) {
    for _ in 0..3 {
        let before = *wake.borrow_and_update();
        append_one(other).await;
        soon("an append wakes", wake.wait_for(|count| *count > before)).await.unwrap();
    }
}

#[tokio::test]
async fn other_processes_are_woken_by_notifications() {
    let Some(server) = Server::shared() else { return };
    let database = server.database();
    let (log, other) = (open(&database.url, "pool=2").await, open(&database.url, "pool=2").await);
    let mut wake = log.wake();
    hears_notifications(&database.client().await, &mut wake).await;
    is_woken_by_appends(&other, &mut wake).await;
}

#[tokio::test]
async fn a_lost_connection_for_notifications_is_made_anew() {
    let Some(server) = Server::shared() else { return };
    let database = server.database();
    let (log, client) = (open(&database.url, "pool=2").await, database.client().await);
    let mut wake = log.wake();
    hears_notifications(&client, &mut wake).await;
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = current_database() AND query LIKE 'LISTEN%'";
    assert_eq!(client.query(sql, &[]).await.unwrap().len(), 1);
    hears_notifications(&client, &mut wake).await;
}

#[tokio::test]
async fn where_nobody_listens_the_log_is_polled() {
    let Some(server) = Server::shared() else { return };
    let database = server.database();
    let (log, other) = (open(&database.url, "pool=2&listen=off").await, open(&database.url, "pool=2").await);
    is_woken_by_appends(&other, &mut log.wake()).await;
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'";
    until("only the other listens", async || {
        database.client().await.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) == 1
    })
    .await;
}

fn direct(database: &Database) -> String {
    let address = database.url.split(['@', '/']).nth(3).unwrap();
    format!("pool=2&listen={address}")
}

#[tokio::test]
async fn behind_a_pooler_the_log_is_polled_or_listened_to_past_it() {
    let Some(server) = Server::shared() else { return };
    let Some(pooler) = PgBouncer::start(server) else { return };
    let database = server.database();
    let url = pooler.url(&database);
    let polling = open(&url, "pool=2").await;
    is_woken_by_appends(&*open(&url, "pool=2&listen=off").await, &mut polling.wake()).await;
    let listening = open(&url, &direct(&database)).await;
    hears_notifications(&database.client().await, &mut listening.wake()).await;
}

#[tokio::test]
async fn a_process_sends_at_most_one_notification_in_five_milliseconds() {
    let Some(server) = Server::shared() else { return };
    let database = server.database();
    let (log, listener) = (open(&database.url, "pool=3").await, open(&database.url, "pool=2").await);
    hears_notifications(&database.client().await, &mut listener.wake()).await;
    let began = Instant::now();
    let before = *listener.wake().borrow();
    for _ in 0..300 {
        append_one(&log).await;
    }
    until("the last append was told of", async || *listener.wake().borrow() > before).await;
    let told = *listener.wake().borrow() - before;
    let most = began.elapsed().as_millis() / 5 + 2;
    assert!(u128::from(told) <= most, "{told} notifications in {:?}", began.elapsed());
}
