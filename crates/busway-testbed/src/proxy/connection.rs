//! One connection through a proxy.

use std::{io, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    time::sleep,
};

use super::gate::{Direction, Flow, Gate};

const PIECE: usize = 64 * 1024;

/// One of a proxy's connections; its verbs are those of the [`Proxy`](super::Proxy), for it alone.
#[derive(Clone, Debug)]
pub struct Connection {
    flow: Arc<watch::Sender<Flow>>,
    cut: watch::Sender<bool>,
}

/// What a connection's task has of it: the connection is open as long as there is one.
pub(super) struct Pass {
    flow: watch::Receiver<Flow>,
    cut: watch::Receiver<bool>,
}

impl Connection {
    pub(super) fn new(flow: Flow) -> (Self, Pass) {
        let (sender, flow) = watch::channel(flow);
        let (cutter, cut) = watch::channel(false);
        (Self { flow: Arc::new(sender), cut: cutter }, Pass { flow, cut })
    }

    pub(super) fn set(&self, change: impl Fn(Flow) -> Flow) {
        self.flow.send_modify(|flow| *flow = change(*flow));
    }

    /// Whether it was neither cut nor closed by its ends.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.cut.is_closed() && !*self.cut.borrow()
    }

    /// Closes it at both ends.
    pub fn cut(&self) {
        self.cut.send_replace(true);
    }

    /// From now on nothing flows in either direction.
    pub fn freeze(&self) {
        self.set(|flow| Flow { requests: false, answers: false, ..flow });
    }

    /// From now on requests arrive and answers do not.
    pub fn freeze_answers(&self) {
        self.set(|flow| Flow { requests: true, answers: false, ..flow });
    }

    /// Everything flows again.
    pub fn thaw(&self) {
        self.set(|flow| Flow { requests: true, answers: true, ..flow });
    }

    /// From now on each piece arrives this much later.
    pub fn slow(&self, delay: Duration) {
        self.set(|flow| Flow { delay, ..flow });
    }
}

impl Pass {
    /// Passes on what comes, until both ends have closed, one has broken, or it is cut.
    pub(super) async fn between(self, client: TcpStream, target: &str) {
        let Self { flow, mut cut } = self;
        tokio::select! {
            _ = pass(client, target, flow) => {}
            _ = cut.wait_for(|cut| *cut) => {}
        }
    }
}

async fn pass(client: TcpStream, target: &str, flow: watch::Receiver<Flow>) -> io::Result<()> {
    let server = TcpStream::connect(target).await?;
    // What is small must not wait for more.
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let answers = Gate { flow: flow.clone(), direction: Direction::Answers };
    let requests = Gate { flow, direction: Direction::Requests };
    tokio::try_join!(pump(from_client, to_server, requests), pump(from_server, to_client, answers))?;
    Ok(())
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut gate: Gate) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        let length = from.read(&mut piece).await?;
        sleep(gate.open().await).await;
        // It may have been shut while the piece was on its way.
        gate.open().await;
        if length == 0 {
            return to.shutdown().await;
        }
        to.write_all(&piece[..length]).await?;
    }
}
