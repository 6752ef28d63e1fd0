use std::{
    fmt::Display,
    future::{Future, IntoFuture},
    pin::Pin,
};

use busway_core::{Error, FieldError, NewEvent as RawNewEvent, Timestamp};
use busway_engine::Published;
use uuid::Uuid;

use crate::{
    NewEvent,
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
}

impl<'a> IntoFuture for PublishAll<'a> {
    type Output = Result<Vec<Published>, Error>;
    type IntoFuture = Answer<'a, Vec<Published>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.via.send(self.events))
    }
}
