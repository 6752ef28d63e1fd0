use std::time::Duration;

use busway_testbed::postgres::Server;
use tokio_postgres::{Client, NoTls};

use crate::traffic::{Process, SOME, Traffic};

const CONNECTIONS: usize = 10;

/// Every connection of a server but those of one who takes them, if it is left any.
struct Crowd {
    url: String,
    clients: Vec<Client>,
}

impl Crowd {
    /// Takes what is free.
    async fn grow(&mut self) {
        while let Ok((client, connection)) = tokio_postgres::connect(&self.url, NoTls).await {
            tokio::spawn(connection);
            self.clients.push(client);
        }
    }

    /// Cuts the connections of Busway until all are taken by the crowd.
    async fn displace(&mut self) {
        let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'busway'";
        while self.clients.len() < CONNECTIONS {
            self.grow().await;
            self.clients[0].batch_execute(cut).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bus_that_finds_every_connection_taken_goes_on_once_some_are_free() {
    let few = [("max_connections", CONNECTIONS.to_string()), ("superuser_reserved_connections", "0".into())];
    let builder = few.iter().fold(Server::builder(), |builder, (name, value)| builder.setting(name, value));
    let Some(server) = builder.setting("max_wal_senders", "0").start() else { return };
    let database = server.database();
    let url = format!("{}?pool=4", database.url);
    let process = Process { url, publishers: 5, events: 500, lease: Duration::from_secs(5) };
    let traffic = Traffic::begin(&[process], SOME).await;
    traffic.delivered(500).await;
    traffic.may_lose_its_lanes(0);
    let mut crowd = Crowd { url: database.url.clone(), clients: Vec::new() };
    let displacing = tokio::time::timeout(Duration::from_secs(120), crowd.displace());
    displacing.await.expect("Busway keeps a connection");
    assert!(traffic.acknowledged() < traffic.published(), "everything is published before the connections are taken");
    while traffic.told("overloaded") == 0 {
        traffic.another_complaint().await;
    }
    drop(crowd);
    traffic.finish("every connection taken", &database.url).await;
}
