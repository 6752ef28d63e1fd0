use std::{
    fmt::Display,
    future::{Future, IntoFuture},
    pin::Pin,
};

use busway_core::{Error, ErrorKind, FieldError, NewEvent as RawNewEvent, OutboxStatements, Timestamp};
use busway_engine::Published;
use uuid::Uuid;

use crate::{
    NewEvent, Transaction,
    cause::{Cause, Stamp},
    shared::Handle,
};

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// From where events are published: by whom, and caused by what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Via<'a> {
    pub(crate) handle: &'a Handle,
    pub(crate) cause: Option<&'a Cause>,
}

impl<'a> Via<'a> {
    pub(crate) fn prepare(self, event: NewEvent) -> Result<(RawNewEvent, Option<Stamp<'a>>), Error> {
        let default = &self.handle.engine().config().default_tenant;
        let mut event = self.handle.scope.admit(event.into_raw()?, default)?;
        let stamp = self.cause.map(|cause| cause.stamp(&mut event)).transpose()?;
        Ok((event, stamp))
    }

    /// How the store's outbox is written to.
    pub(crate) fn statements(self) -> Result<&'a OutboxStatements, Error> {
        let stores = self.handle.engine().stores();
        stores.outbox.as_ref().and_then(|outbox| outbox.statements()).ok_or_else(|| {
            let name = stores.log.capabilities().name;
            let detail = format!("the store `{name}` cannot take part in a transaction of yours; `postgres` can");
            Error::new(ErrorKind::Unsupported, detail)
        })
    }

    /// Writes an event in a caller's transaction; returns its id.
    async fn write(self, event: NewEvent, transaction: &mut impl Transaction) -> Result<Uuid, Error> {
        let statements = self.statements()?;
        let (event, stamp) = self.prepare(event)?;
        let event = self.handle.engine().complete(event)?;
        let metadata = (!event.metadata.is_empty()).then(|| event.metadata.as_str().to_owned());
        let parameters = [
            Some(event.event_type.to_string()),
            Some(event.tenant.to_string()),
            Some(event.payload.as_str().to_owned()),
            event.key.as_ref().map(ToString::to_string),
            metadata,
            Some(event.id.to_string()),
            Some(event.time.as_millis().to_string()),
        ];
        transaction.ask(&statements.publish, &parameters).await?;
        if let Some(stamp) = stamp {
            stamp.stored();
        }
        Ok(event.id)
    }

    async fn send(self, events: Vec<NewEvent>) -> Result<Vec<Published>, Error> {
        let mut ready = Vec::with_capacity(events.len());
        let mut stamps = Vec::new();
        for (index, event) in events.into_iter().enumerate() {
            let (event, stamp) = self.prepare(event).map_err(|error| at_index(error, index))?;
            ready.push(event);
            stamps.extend(stamp);
        }
        let published = self.handle.engine().publish(ready).await?;
        stamps.into_iter().for_each(Stamp::stored);
        Ok(published)
    }
}

/// The same error, with which event of the batch it is about.
fn at_index(error: Error, index: usize) -> Error {
    if error.fields().is_empty() {
        return error;
    }
    let kind = error.kind();
    let fields = error.into_fields().into_iter().map(|field| FieldError { index: Some(index), ..field });
    Error::invalid(kind, fields.collect())
}

/// An event about to be published: it is when this is awaited.
///
/// The answer comes once the event is stored, and tells its id and whether an event of the tenant with that id
/// was there before.
#[derive(Debug)]
#[must_use = "nothing is published until this is awaited"]
pub struct Publish<'a> {
    via: Via<'a>,
    event: NewEvent,
}

impl<'a> Publish<'a> {
    pub(crate) fn new(via: Via<'a>, event: NewEvent) -> Self {
        Self { via, event }
    }

    fn change(self, change: impl FnOnce(NewEvent) -> NewEvent) -> Self {
        Self { event: change(self.event), ..self }
    }

    /// With this ordering key in place of its own.
    pub fn key(self, key: impl Display) -> Self {
        self.change(|event| event.key(key))
    }

    /// Under the caller's id; see [`NewEvent::id`].
    pub fn id(self, id: Uuid) -> Self {
        self.change(|event| event.id(id))
    }

    /// With the time it happened.
    pub fn at(self, time: Timestamp) -> Self {
        self.change(|event| event.at(time))
    }

    /// With a `correlationId`; see [`NewEvent::correlation`].
    pub fn correlation(self, id: impl Display) -> Self {
        self.change(|event| event.correlation(id))
    }

    /// With who did it; see [`NewEvent::actor`].
    pub fn actor(self, actor_type: impl Display, actor_id: impl Display) -> Self {
        self.change(|event| event.actor(actor_type, actor_id))
    }

    /// With one more text in its metadata.
    pub fn metadata(self, name: &str, text: impl Display) -> Self {
        self.change(|event| event.metadata(name, text))
    }

    /// Publishes it in a transaction of the caller's own, and returns its id. Once that is committed the event is on its
    /// way; if it is rolled back there never was one. Inline listeners do not hear it.
    ///
    /// It is checked before anything is sent, so what is refused here has not harmed the transaction. Between events
    /// that are published so and others of the same key there is no order.
    ///
    /// Errors: `Unsupported` where the store cannot take part, those of publishing, `InvalidConfiguration` if the
    /// transaction is on another database or may not write to the outbox, `Stale` if it has failed before,
    /// `Unreachable`, `Overloaded`.
    pub async fn within<T: Transaction>(self, transaction: &mut T) -> Result<Uuid, Error> {
        self.via.write(self.event, transaction).await
    }
}

impl<'a> IntoFuture for Publish<'a> {
    type Output = Result<Published, Error>;
    type IntoFuture = Answer<'a, Published>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (event, stamp) = self.via.prepare(self.event)?;
            let published = self.via.handle.engine().publish(vec![event]).await?;
            if let Some(stamp) = stamp {
                stamp.stored();
            }
            published.into_iter().next().ok_or_else(no_answer)
        })
    }
}

fn no_answer() -> Error {
    Error::new(busway_core::ErrorKind::Internal, "the engine published an event and said nothing of it")
}

/// Events about to be published, all or none, in their order: they are when this is awaited.
#[derive(Debug)]
#[must_use = "nothing is published until this is awaited"]
pub struct PublishAll<'a> {
    via: Via<'a>,
    events: Vec<NewEvent>,
}

impl<'a> PublishAll<'a> {
    pub(crate) fn new<E: Into<NewEvent>>(via: Via<'a>, events: impl IntoIterator<Item = E>) -> Self {
        Self { via, events: events.into_iter().map(Into::into).collect() }
    }

    /// As [`Publish::within`], one after the other; returns their ids. After an error the transaction must be rolled
    /// back, or some are published.
    pub async fn within<T: Transaction>(self, transaction: &mut T) -> Result<Vec<Uuid>, Error> {
        let mut ids = Vec::with_capacity(self.events.len());
        for (index, event) in self.events.into_iter().enumerate() {
            ids.push(self.via.write(event, transaction).await.map_err(|error| at_index(error, index))?);
        }
        Ok(ids)
    }
}

impl<'a> IntoFuture for PublishAll<'a> {
    type Output = Result<Vec<Published>, Error>;
    type IntoFuture = Answer<'a, Vec<Published>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.via.send(self.events))
    }
}
