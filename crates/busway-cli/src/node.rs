//! A store, the engine over it and the server in front: what `serve` runs, and a command without a server.

use std::{future::Future, net::SocketAddr, path::Path};

use busway_core::{Result, Seam};
use busway_engine::{Engine, ShutdownReport};
use busway_server::Server;

use crate::{config::Config, store::Store};

/// A store, the engine over it and the server in front, bound and not yet serving.
pub(crate) struct Node {
    store: Store,
    engine: Engine,
    server: Server,
}

impl Node {
    /// Opens the store, starts the engine and binds the address.
    pub(crate) async fn start(config: &Config, data: &Path, listen: &str) -> Result<Self> {
        let seam = Seam::system();
        let store = Store::open(&config.backend, data, seam.clone()).await?;
        let engine = Engine::start(store.stores(), engine_config(config), seam).await?;
        let server = busway_server::Config {
            listen: listen.into(),
            hosts: config.server.hosts.clone(),
            grace: config.server.grace.0,
        };
        match Server::bind(engine.clone(), server).await {
            Ok(server) => Ok(Self { store, engine, server }),
            Err(error) => {
                engine.shutdown().await?;
                store.close().await;
                Err(error)
            }
        }
    }

    /// The address that was opened.
    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The store, in words.
    pub(crate) async fn describe_store(&self) -> Result<String> {
        self.store.describe().await
    }

    /// Serves until `stop` ends, then finishes or hands back what is in flight and closes the store.
    pub(crate) async fn run(self, stop: impl Future<Output = ()>) -> Result<ShutdownReport> {
        self.server.run(stop).await;
        let report = self.engine.shutdown().await;
        drop(self.engine);
        self.store.close().await;
        report
    }
}

fn engine_config(config: &Config) -> busway_engine::Config {
    busway_engine::Config {
        app: "busway".into(),
        retention: config.backend.retention.0,
        ..busway_engine::Config::default()
    }
}
