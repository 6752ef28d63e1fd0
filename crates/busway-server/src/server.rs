use std::{future::Future, net::SocketAddr, time::Duration};

use axum::Router;
use busway_core::{Error, ErrorKind, Result};
use busway_engine::Engine;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{Config, access::Access, app::App, connections::Connections, listen::listen, router::router};

/// The HTTP server over an engine, bound and not yet serving.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
    stopping: CancellationToken,
    grace: Duration,
}

impl Server {
    /// Opens the configured address. `InvalidConfiguration` if it is none or reaches beyond this machine,
    /// `AddressInUse` if it is taken.
    pub async fn bind(engine: Engine, config: Config) -> Result<Self> {
        let listener = listen(&config.listen).await?;
        let address = listener.local_addr().map_err(|error| {
            Error::new(ErrorKind::InvalidConfiguration, format!("{} cannot be listened on", config.listen))
                .with_source(error)
        })?;
        let stopping = CancellationToken::new();
        let router = router(App { engine, stopping: stopping.clone() }, Access::new(&config.hosts));
        tracing::info!(%address, "no keys yet: whoever runs on this machine is admin, nobody else is let in");
        Ok(Self { listener, address, router, stopping, grace: config.grace })
    }

    /// The address that was opened, its port the real one.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` ends; then takes no more connections, ends waiting pulls and streams at once, and
    /// gives other requests the grace. The engine goes on: it is the caller's to shut down.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let connections = Connections::new(self.router, self.stopping);
        tokio::select! {
            never = connections.accept(&self.listener) => match never {},
            () = stop => {}
        }
        drop(self.listener);
        connections.finish(self.grace).await;
    }
}
