use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use busway_core::{Error, ErrorKind, SubscriptionName};
use busway_engine::{Deadline, Delivery};
use serde::Serialize;
use serde_json::Value;

use crate::{
    NewEvent, Publish, PublishAll, Tenant, Transaction, cause::Cause, publish::Via, scope::Scope, shared::Handle,
};

/// What a listener knows about its delivery, and what it may do. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    inner: Arc<Inner>,
}

struct Inner {
    tenant: Tenant,
    cause: Cause,
    run: Run,
    deadline: Option<Deadline>,
    reply: Mutex<Option<Value>>,
}

/// Which run of which listener this is.
#[derive(Clone, Debug)]
struct Run {
    name: SubscriptionName,
    attempt: u32,
    fence: u64,
    replay: bool,
}

impl Context {
    /// Of a delivery to the listener whose name among all is `full_name`.
    pub(crate) fn of(handle: &Handle, delivery: &Delivery, full_name: &Arc<str>) -> Self {
        let run = Run {
            name: delivery.subscription.clone(),
            attempt: delivery.attempt,
            fence: delivery.fence,
            replay: delivery.replay.is_some(),
        };
        let cause = Cause::new(Arc::clone(&delivery.event), Arc::clone(full_name));
        Self::new(handle, cause, run, Some(delivery.deadline.clone()))
    }

    /// Of what an ephemeral subscription, known by `name`, hears.
    pub(crate) fn passing(handle: &Handle, event: Arc<busway_core::Event>, name: &Arc<str>) -> Self {
        let run = Run { name: SubscriptionName::from_store(Arc::clone(name)), attempt: 1, fence: 0, replay: false };
        Self::new(handle, Cause::new(event, Arc::clone(name)), run, None)
    }

    fn new(handle: &Handle, cause: Cause, run: Run, deadline: Option<Deadline>) -> Self {
        let tenant = handle.inside().scoped(Scope::Tenant(cause.event().tenant.clone()));
        Self { inner: Arc::new(Inner { tenant: Tenant::new(tenant), cause, run, deadline, reply: Mutex::default() }) }
    }

    /// The bus, bound to the event's tenant. What is published through it does not know its cause;
    /// [`Self::publish`] does.
    pub fn tenant(&self) -> &Tenant {
        &self.inner.tenant
    }

    /// The name of the subscription that heard the event.
    pub fn subscription(&self) -> &str {
        self.inner.run.name.as_str()
    }

    /// Runs begun on this event for this subscription, this one included: 1, then 2.
    pub fn attempt(&self) -> u32 {
        self.inner.run.attempt
    }

    /// Rises whenever the work changes hands: what an older fence wrote must not overwrite what a newer one did.
    pub fn fence(&self) -> u64 {
        self.inner.run.fence
    }

    /// True if the event comes from a replay.
    pub fn is_replay(&self) -> bool {
        self.inner.run.replay
    }

    /// Publishes an event of the same tenant that this one caused.
    ///
    /// It keeps the correlation and names its cause. Its id follows from this event, this subscription, its own
    /// content (type, key, payload) and its number among equals: a repeated delivery publishes it once.
    pub fn publish(&self, event: impl Into<NewEvent>) -> Publish<'_> {
        Publish::new(self.via(), event.into())
    }

    /// As [`Self::publish`], several events, all or none.
    pub fn publish_all<E: Into<NewEvent>>(&self, events: impl IntoIterator<Item = E>) -> PublishAll<'_> {
        PublishAll::new(self.via(), events)
    }

    /// True if this subscription meets the event for the first time: once, and only if the caller's transaction is
    /// committed. So what is done in that transaction when this is true is done once, however often the event is
    /// delivered or replayed.
    ///
    /// Whoever asks for the same event meanwhile waits for the transaction's end. Errors: as those of
    /// [`Publish::within`].
    pub async fn first_time(&self, transaction: &mut impl Transaction) -> Result<bool, Error> {
        let statements = self.via().statements()?;
        let (cause, event) = (&self.inner.cause, self.inner.cause.event());
        let parameters =
            [Some(cause.listener().to_string()), Some(event.id.to_string()), Some(event.tenant.to_string())];
        Ok(transaction.ask(&statements.first_time, &parameters).await? == "true")
    }

    fn via(&self) -> Via<'_> {
        Via { handle: self.inner.tenant.handle(), cause: Some(&self.inner.cause) }
    }

    /// Gives this run more time, counted from its present deadline.
    pub fn extend(&self, by: Duration) {
        if let Some(deadline) = &self.inner.deadline {
            deadline.extend(by);
        }
    }

    /// Answers whoever waits for this event by [`Tenant::publish_and_wait`]. The last reply of the run that
    /// succeeds counts. Fails if the value cannot be written as JSON.
    pub fn reply(&self, value: impl Serialize) -> Result<(), Error> {
        let value = serde_json::to_value(value).map_err(|error| {
            Error::new(ErrorKind::Handler, "the reply cannot be written as JSON").with_source(error)
        })?;
        *self.inner.reply.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
        Ok(())
    }

    /// What was given to [`Self::reply`].
    pub(crate) fn take_reply(&self) -> Option<Value> {
        self.inner.reply.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("event", &self.inner.cause.event().id).field("run", &self.inner.run).finish()
    }
}
