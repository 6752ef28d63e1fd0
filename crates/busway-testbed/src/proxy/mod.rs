//! A TCP proxy that breaks connections on demand, in front of any server.

mod connection;
mod gate;

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    time::Duration,
};

pub use connection::Connection;
use gate::Flow;
use tokio::{
    net,
    runtime::{Builder, Runtime},
    task::JoinHandle,
};

use crate::{port, url};

/// Takes connections on a port of 127.0.0.1 and passes them on. Its verbs hold for every connection, also for those to
/// come; [`connections`](Self::connections) gives the open ones one by one.
///
/// It has a thread of its own, so that neither a blocked runtime nor a paused clock stops it.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    target: Arc<str>,
    taken: Arc<Mutex<Taken>>,
    accepting: Mutex<Option<JoinHandle<()>>>,
    runtime: Option<Runtime>,
}

/// What was taken so far, and how the next one will flow.
#[derive(Debug, Default)]
struct Taken {
    flow: Flow,
    open: Vec<Connection>,
    count: u64,
}

impl Proxy {
    /// In front of `host:port`, or of the server that a URL names.
    ///
    /// # Panics
    /// Where there is no thread or no port for it.
    #[must_use]
    pub fn start(target: &str) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("proxy").enable_all().build();
        let listening = port::with_free(|port| {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
            Ok((listener.local_addr()?, listener))
        });
        let (address, listener) = listening.unwrap_or_else(|error| panic!("no port for a proxy: {error}"));
        let proxy = Self {
            address,
            target: url::address(target).into(),
            taken: Arc::default(),
            accepting: Mutex::default(),
            runtime: Some(runtime.unwrap_or_else(|error| panic!("no runtime for a proxy: {error}"))),
        };
        *proxy.accepting() = Some(proxy.take_all(listener));
        proxy
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same URL through the proxy.
    #[must_use]
    pub fn url(&self, url: &str) -> String {
        url::with_address(url, &self.address.to_string())
    }

    /// Closes every connection, at both ends. New ones are taken.
    pub fn cut(&self) {
        for connection in self.taken().open.drain(..) {
            connection.cut();
        }
    }

    /// From now on nothing flows in either direction, and nothing is closed: reads hang. New connections are taken and
    /// stay silent.
    pub fn freeze(&self) {
        self.set(|flow| Flow { requests: false, answers: false, ..flow });
    }

    /// From now on what clients send arrives, and nothing that the server answers: with [`cut`](Self::cut) afterwards
    /// a client cannot know what became of its request.
    pub fn freeze_answers(&self) {
        self.set(|flow| Flow { requests: true, answers: false, ..flow });
    }

    /// Everything flows again, first what was kept meanwhile.
    pub fn thaw(&self) {
        self.set(|flow| Flow { requests: true, answers: true, ..flow });
    }

    /// From now on whatever arrives, in either direction, is passed on this much later, one piece (of up to 64 KiB) after
    /// the other; zero ends it.
    pub fn slow(&self, delay: Duration) {
        self.set(|flow| Flow { delay, ..flow });
    }

    fn set(&self, change: impl Fn(Flow) -> Flow) {
        let mut taken = self.taken();
        taken.flow = change(taken.flow);
        for connection in &taken.open {
            connection.set(&change);
        }
    }

    /// From now on nobody can connect; open connections stay.
    ///
    /// # Panics
    /// If the proxy's thread has died.
    pub fn refuse(&self) {
        let Some(accepting) = self.accepting().take() else { return };
        accepting.abort();
        let (done, closed) = mpsc::channel();
        self.runtime().spawn(async move {
            // Only then the socket is closed.
            let _ = accepting.await;
            let _ = done.send(());
        });
        closed.recv().unwrap_or_else(|error| panic!("the proxy's thread has died: {error}"));
    }

    /// Takes connections again after [`refuse`](Self::refuse).
    ///
    /// # Panics
    /// If the port was taken meanwhile.
    pub fn accept(&self) {
        let mut accepting = self.accepting();
        if accepting.is_none() {
            let listener = TcpListener::bind(self.address);
            let listener =
                listener.unwrap_or_else(|error| panic!("a proxy cannot listen on {}: {error}", self.address));
            *accepting = Some(self.take_all(listener));
        }
    }

    fn take_all(&self, listener: TcpListener) -> JoinHandle<()> {
        let _entered = self.runtime().enter();
        let listener = listener.set_nonblocking(true).and_then(|()| net::TcpListener::from_std(listener));
        let listener = listener.unwrap_or_else(|error| panic!("a proxy cannot wait for connections: {error}"));
        self.runtime().spawn(take_all(listener, self.target.clone(), self.taken.clone()))
    }

    /// The connections that are open now, oldest first.
    #[must_use]
    pub fn connections(&self) -> Vec<Connection> {
        let mut taken = self.taken();
        taken.open.retain(Connection::is_open);
        taken.open.clone()
    }

    /// How many connections were taken so far, open or not.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.taken().count
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accepting(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.accepting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().unwrap_or_else(|| unreachable!("it is taken by drop alone"))
    }
}

/// Closes everything.
impl Drop for Proxy {
    fn drop(&mut self) {
        // A runtime may not wait inside another.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn take_all(listener: net::TcpListener, target: Arc<str>, taken: Arc<Mutex<Taken>>) {
    while let Ok((client, _)) = listener.accept().await {
        let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
        let (connection, pass) = Connection::new(taken.flow);
        taken.open.retain(Connection::is_open);
        taken.open.push(connection);
        taken.count += 1;
        let target = target.clone();
        tokio::spawn(async move { pass.between(client, &target).await });
    }
}
