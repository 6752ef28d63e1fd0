use std::{
    convert::Infallible,
    future::{Ready, ready},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio_postgres::{
    CancelToken,
    tls::{ChannelBinding, TlsConnect, TlsStream},
};

/// The first four bytes of what asks for TLS, after its length.
const ASKS_FOR_TLS: i32 = 80_877_103;

/// The process of the server that is said to be at the other end of a connection. A pooler that gives a session to each
/// transaction can name none, and says what it likes.
///
/// Only a request to cancel tells it: one is written here, to nobody.
pub(super) async fn said_process(token: &CancelToken) -> Option<i32> {
    let (near, far) = tokio::io::duplex(64);
    let (sent, process) = tokio::join!(token.cancel_query_raw(Wire(near), Unchanged), read_process(far));
    sent.ok().and(process)
}

/// From a request to cancel: its length, what it is, the process and a secret. That for TLS may come before.
async fn read_process(mut far: DuplexStream) -> Option<i32> {
    loop {
        let _length = far.read_i32().await.ok()?;
        if far.read_i32().await.ok()? != ASKS_FOR_TLS {
            return far.read_i32().await.ok();
        }
        far.write_all(b"S").await.ok()?;
    }
}

/// The wire is its own encryption.
struct Unchanged;

impl TlsConnect<Wire> for Unchanged {
    type Stream = Wire;
    type Error = Infallible;
    type Future = Ready<Result<Wire, Infallible>>;

    fn connect(self, stream: Wire) -> Self::Future {
        ready(Ok(stream))
    }
}

struct Wire(DuplexStream);

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, into)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, from: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

impl TlsStream for Wire {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}
