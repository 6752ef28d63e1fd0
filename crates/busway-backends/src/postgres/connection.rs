use std::{future::Future, pin::Pin};

use busway_core::Result;
use deadpool_postgres::Connect;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Error as NativeError};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{
    config::Config,
    error::{no_answer, not_connected},
};

/// A connection of its own, outside the pool; it is closed when this is dropped.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) client: Client,
    task: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Connects to where the store lies.
pub(super) async fn connect(config: &Config) -> Result<Connection> {
    let (place, within) = (config.place(), config.connect_timeout());
    let connector = Connector(config.tls.connector()?);
    match tokio::time::timeout(within, connector.connect(&config.native)).await {
        Ok(Ok((client, task))) => Ok(Connection { client, task }),
        Ok(Err(error)) => Err(not_connected(error, &place)),
        Err(_) => Err(no_answer(&place, within)),
    }
}

/// Makes the pool's connections.
#[derive(Clone)]
pub(super) struct Connector(pub(super) MakeRustlsConnect);

impl Connect for Connector {
    fn connect(
        &self,
        native: &tokio_postgres::Config,
    ) -> Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), NativeError>> + Send + '_>> {
        let (native, tls) = (native.clone(), self.0.clone());
        Box::pin(async move {
            let (client, connection) = native.connect(tls).await?;
            let task = tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "a connection to PostgreSQL ended");
                }
            });
            Ok((client, task))
        })
    }
}
