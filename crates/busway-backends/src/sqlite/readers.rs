use std::{
    sync::Arc,
    thread::{self, JoinHandle},
};

use busway_core::Result;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::{
    error::Fault,
    shared::{Guard, Shared},
};

/// Something to be read, and its answer.
pub(super) type Reading = Box<dyn FnOnce(&mut Connection) + Send>;

/// Has a reader thread read something.
pub(super) async fn read<T, W>(shared: &Arc<Shared>, work: W) -> Result<T>
where
    T: Send + 'static,
    W: FnOnce(&mut Connection) -> Result<T, Fault> + Send + 'static,
{
    shared.check()?;
    let (caller, answer) = oneshot::channel();
    let place = shared.clone();
    let reading = Box::new(move |connection: &mut Connection| {
        if !caller.is_closed() {
            let outcome = work(connection).map_err(|fault| fault.translated(&place.path));
            // An error means that the caller is gone: nobody wants to know.
            let _ = caller.send(outcome);
        }
    });
    if !shared.reads.push(reading) {
        return Err(shared.closed());
    }
    answer.await.unwrap_or_else(|_| Err(shared.unanswered()))
}

/// Starts a thread that reads until the store is closed and nothing is left to do.
pub(super) fn start(mut connection: Connection, shared: Arc<Shared>) -> std::io::Result<JoinHandle<()>> {
    thread::Builder::new().name("busway-sqlite-r".into()).spawn(move || {
        let _guard = Guard(shared.clone());
        while let Some(reading) = shared.reads.next() {
            reading(&mut connection);
        }
    })
}
