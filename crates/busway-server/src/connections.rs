use std::{convert::Infallible, io, pin::pin, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

/// How long a connection may stand between two requests, and a request's head may take.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
/// How long to wait when the system has no more connections to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// The open connections; they end with it.
pub(crate) struct Connections {
    router: Router,
    tasks: TaskTracker,
    stopping: CancellationToken,
    ended: CancellationToken,
    _ends_with: DropGuard,
}

impl Connections {
    /// Whoever serves a request sees `stopping` cancelled once [`Self::finish`] is called.
    pub(crate) fn new(router: Router, stopping: CancellationToken) -> Self {
        let ended = CancellationToken::new();
        Self { router, tasks: TaskTracker::new(), stopping, _ends_with: ended.clone().drop_guard(), ended }
    }

    /// Takes connections for as long as it is polled.
    pub(crate) async fn accept(&self, listener: &TcpListener) -> Infallible {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => self.open(stream),
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "no connection can be taken");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Lets requests finish for at most `grace`, then closes what is left.
    pub(crate) async fn finish(self, grace: Duration) {
        self.stopping.cancel();
        self.tasks.close();
        if tokio::time::timeout(grace, self.tasks.wait()).await.is_err() {
            tracing::warn!(connections = self.tasks.len(), "closed before their requests were answered");
            self.ended.cancel();
            self.tasks.wait().await;
        }
    }

    fn open(&self, stream: TcpStream) {
        // Without it an answer in two parts can wait 40 ms for an acknowledgement; failing to set it costs only that.
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(self.router.clone());
        let (stopping, ended) = (self.stopping.clone(), self.ended.clone());
        self.tasks.spawn(async move {
            let mut connection = pin!(
                http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEAD_TIMEOUT)
                    .serve_connection(TokioIo::new(stream), service)
            );
            tokio::select! {
                biased;
                _ = connection.as_mut() => return,
                () = ended.cancelled() => return,
                () = stopping.cancelled() => connection.as_mut().graceful_shutdown(),
            }
            tokio::select! {
                _ = connection => {}
                () = ended.cancelled() => {}
            }
        });
    }
}

/// True if only the connection that was to be taken is broken.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
