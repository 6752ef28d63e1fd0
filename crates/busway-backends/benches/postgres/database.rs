//! The server, and a database of its own for each measurement.

use std::{env, sync::OnceLock};

use busway_backends::postgres::{Config, Postgres};
use busway_core::Seam;
use busway_testbed::postgres::{Database, Server, VARIABLE};
use tokio_postgres::Client;

use crate::bus::Bus;

/// As `benches/peers/postgres` has them: checkpoints would write whole pages to the WAL in some rounds and not in others.
const SETTINGS: [(&str, &str); 3] =
    [("shared_buffers", "1GB"), ("max_wal_size", "8GB"), ("checkpoint_timeout", "30min")];

/// A given server, else a private one that runs until this process ends.
pub(crate) fn server() -> &'static Server {
    static PRIVATE: OnceLock<Server> = OnceLock::new();
    if env::var_os(VARIABLE).is_some() {
        return Server::shared().unwrap();
    }
    PRIVATE.get_or_init(|| {
        let builder =
            SETTINGS.into_iter().fold(Server::builder(), |builder, (name, value)| builder.setting(name, value));
        builder.start().expect("a PostgreSQL is installed")
    })
}

/// An empty database.
pub(crate) struct Fresh(Database);

impl Fresh {
    pub(crate) fn new() -> Self {
        Self(server().database())
    }

    pub(crate) fn url(&self) -> &str {
        &self.0.url
    }

    pub(crate) async fn bus(&self) -> Bus {
        open(self.url()).await
    }

    pub(crate) async fn client(&self) -> Client {
        self.0.client().await
    }

    /// Lets whatever runs after many rows were stored be over, and all of it be on the disk.
    pub(crate) async fn settle(&self) {
        let client = self.client().await;
        client.batch_execute("VACUUM ANALYZE").await.unwrap();
        client.batch_execute("CHECKPOINT").await.unwrap();
    }

    /// Bytes of WAL, ever.
    pub(crate) async fn logged(&self) -> f64 {
        let sql = "SELECT (pg_current_wal_insert_lsn() - '0/0')::float8";
        self.client().await.query_one(sql, &[]).await.unwrap().get(0)
    }

    pub(crate) async fn remove(self) {
        let statement = format!("DROP DATABASE {} WITH (FORCE)", self.0.name);
        let (client, connection) =
            tokio_postgres::connect(&server().url("postgres"), tokio_postgres::NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        client.batch_execute(&statement).await.unwrap();
        drop(client);
        connection.await.unwrap().unwrap();
    }
}

/// The log of a database, made if missing, as it is if nothing is said.
pub(crate) async fn open(url: &str) -> Bus {
    let store = Postgres::open(Config::from_url(url).unwrap(), Seam::system()).await.unwrap();
    Bus::start(store.stores(), async move { store.close().await }).await
}
