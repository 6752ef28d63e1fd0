use std::sync::Arc;

use busway_core::{Entry, Error, ErrorKind, Patterns};
use busway_engine::Tail;
use tokio::task::AbortHandle;

use crate::{Context, Event, Listener, Payload, shared::Handle};

/// A subscription that lasts as long as this handle: from now on, one event at a time, at most once. It is
/// written down nowhere, keeps nothing from being pruned, and an error of its listener is logged.
#[derive(Debug)]
#[must_use = "an ephemeral subscription ends when this is dropped"]
pub struct Ephemeral {
    task: AbortHandle,
}

impl Ephemeral {
    /// True once it hears nothing more, because the bus was shut down.
    pub fn is_over(&self) -> bool {
        self.task.is_finished()
    }
}

impl Drop for Ephemeral {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Listens from now on to what matches `pattern`: one pattern or several, exclusions too, such as
/// `ticket.* !ticket.viewed`.
pub(crate) async fn listen<P: Payload, L: Listener<P>>(
    handle: &Handle,
    pattern: &str,
    listener: L,
) -> Result<Ephemeral, Error> {
    let types: Patterns = pattern.parse()?;
    let tail = open(handle, &types).await?;
    let hearing =
        Hearing { handle: handle.inside(), types, name: handle.engine().seam().id().to_string().into(), listener };
    let task = tokio::spawn(hearing.run::<P>(tail)).abort_handle();
    Ok(Ephemeral { task })
}

async fn open(handle: &Handle, types: &Patterns) -> Result<Tail, Error> {
    handle.engine().tail(types.clone(), handle.scope.owner()?.tenant().cloned(), None).await
}

struct Hearing<L> {
    handle: Handle,
    types: Patterns,
    /// Its own alone, so that two ephemeral subscriptions publish two events.
    name: Arc<str>,
    listener: L,
}

impl<L> Hearing<L> {
    async fn run<P: Payload>(self, mut tail: Tail)
    where
        L: Listener<P>,
    {
        loop {
            match tail.next().await {
                Ok((entry, _)) => self.hear::<P>(&entry).await,
                Err(error) if error.kind() == ErrorKind::Closed => return,
                Err(error) => {
                    tracing::warn!(types = ?self.types.to_texts(), %error, "an ephemeral subscription missed events");
                    match open(&self.handle, &self.types).await {
                        Ok(again) => tail = again,
                        Err(_) => return,
                    }
                }
            }
        }
    }

    async fn hear<P: Payload>(&self, entry: &Entry)
    where
        L: Listener<P>,
    {
        let Some(event) = entry.event().filter(|event| P::handles(&event.event_type)) else { return };
        let failure = match Event::<P>::read(event, entry.stored_at) {
            Ok(read) => {
                let context = Context::passing(&self.handle, Arc::clone(event), &self.name);
                self.listener.handle(read, context).await.err()
            }
            Err(undecodable) => Some(undecodable.into()),
        };
        if let Some(error) = failure {
            tracing::warn!(event_type = %event.event_type, id = %event.id, %error, "an ephemeral listener failed");
        }
    }
}
