use std::{
    future::{Future, pending},
    pin::Pin,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use busway_core::Result;
use deadpool_postgres::Connect;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Error as NativeError, Socket, config::LoadBalanceHosts, tls::MakeTlsConnect};
use tokio_postgres_rustls::MakeRustlsConnect;
use uuid::Uuid;

use super::{
    config::Config,
    error::{no_answer, not_connected},
};

type Native = tokio_postgres::Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>;

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
    let connector = Connector::new(config, &config.native)?;
    match tokio::time::timeout(within, connector.spawned()).await {
        Ok(Ok((client, task))) => Ok(Connection { client, task }),
        Ok(Err(error)) => Err(not_connected(error, &place)),
        Err(_) => Err(no_answer(&place, within)),
    }
}

/// Makes connections to the first of several hosts that takes one, beginning with the one that took the last.
pub(super) struct Connector {
    tls: MakeRustlsConnect,
    hosts: Vec<tokio_postgres::Config>,
    is_balanced: bool,
    /// How long one host has, until the next is tried.
    within: Duration,
    last: AtomicUsize,
}

impl Connector {
    /// To the hosts of `native`.
    pub(super) fn new(config: &Config, native: &tokio_postgres::Config) -> Result<Self> {
        Ok(Self {
            tls: config.tls.connector()?,
            hosts: config.each_host(native),
            is_balanced: native.get_load_balance_hosts() == LoadBalanceHosts::Random,
            within: config.host_timeout(),
            last: AtomicUsize::new(0),
        })
    }

    /// A connection that somebody has to drive. Never ends if every host is silent: the caller's patience does that.
    pub(super) async fn connect(&self) -> Result<(Client, Native), NativeError> {
        let count = self.hosts.len();
        let first = match self.is_balanced {
            true => Uuid::new_v4().as_fields().0 as usize % count,
            false => self.last.load(Ordering::Relaxed),
        };
        let mut failed: Option<NativeError> = None;
        for host in (first..first + count).map(|host| host % count) {
            match tokio::time::timeout(self.within, self.hosts[host].connect(self.tls.clone())).await {
                Ok(Ok(connected)) => {
                    self.last.store(host, Ordering::Relaxed);
                    return Ok(connected);
                }
                // What a server says tells more than that another cannot be reached.
                Ok(Err(error)) if failed.as_ref().is_none_or(|failed| failed.as_db_error().is_none()) => {
                    failed = Some(error);
                }
                Ok(Err(_)) | Err(_) => {}
            }
        }
        match failed {
            Some(error) => Err(error),
            None => pending().await,
        }
    }

    async fn spawned(&self) -> Result<(Client, JoinHandle<()>), NativeError> {
        let (client, connection) = self.connect().await?;
        let task = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to PostgreSQL ended");
            }
        });
        Ok((client, task))
    }
}

impl Connect for Connector {
    fn connect(
        &self,
        _: &tokio_postgres::Config,
    ) -> Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), NativeError>> + Send + '_>> {
        Box::pin(self.spawned())
    }
}
