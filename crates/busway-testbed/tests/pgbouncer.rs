//! PgBouncer stands between clients and a server, in transaction mode.

use std::collections::BTreeSet;

use busway_testbed::{
    pgbouncer::PgBouncer,
    postgres::{Database, Server},
};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

async fn connect(url: &str) -> Client {
    let (client, connection) =
        tokio_postgres::connect(url, NoTls).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    tokio::spawn(connection);
    client
}

/// The backend process that serves a statement by itself.
async fn served_by(client: &Client) -> i32 {
    let answer = client.simple_query("select pg_backend_pid()").await.expect("it answers");
    let row = answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    row.and_then(|pid| pid.parse().ok()).expect("a number")
}

fn start() -> Option<(PgBouncer, Database)> {
    let server = Server::shared()?;
    Some((PgBouncer::start_with(server, &[("default_pool_size", "1")])?, server.database()))
}

#[tokio::test]
async fn clients_take_turns_on_one_connection_by_the_transaction() {
    let Some((pooler, database)) = start() else { return };
    let (first, second) = (connect(&pooler.url(&database)).await, connect(&pooler.url(&database)).await);
    let backends = BTreeSet::from([served_by(&first).await, served_by(&second).await, served_by(&first).await]);
    assert_eq!(backends.len(), 1, "each client has a connection of its own");

    first.batch_execute("begin").await.unwrap();
    let waiting = tokio::spawn(async move { served_by(&second).await });
    first.batch_execute("create table t as select 1 as n; commit").await.unwrap();
    assert_eq!(Some(&waiting.await.unwrap()), backends.first());
    let row = database.client().await.query_one("select n from t", &[]).await.unwrap();
    assert_eq!(row.get::<_, i32>(0), 1, "what was written through the pooler is not in its database");
}

#[tokio::test]
async fn its_console_tells_its_mode() {
    let Some((pooler, _)) = start() else { return };
    let answer = connect(&pooler.console()).await.simple_query("show config").await.unwrap();
    let mode = answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) if row.get("key") == Some("pool_mode") => row.get("value"),
        _ => None,
    });
    assert_eq!(mode, Some("transaction"));
}
