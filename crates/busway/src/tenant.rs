use busway_core::{Error, SubscriptionName};

use crate::{
    Ephemeral, EventType, Listener, NewEvent, Payload, Publish, PublishAll, PublishAndWait, Subscribe, Subscription,
    ephemeral, inline, publish::Via, shared::Handle,
};

/// The bus of one tenant: what is published through it is the tenant's, what subscribes through it hears the
/// tenant's events alone. Cheap to clone, and there is no way out of the tenant.
///
/// A tenant's name is 1 to 128 of `[A-Za-z0-9._:-]`; another one is told by the first call that is awaited.
#[derive(Clone, Debug)]
pub struct Tenant {
    handle: Handle,
}

impl Tenant {
    pub(crate) fn new(handle: Handle) -> Self {
        Self { handle }
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    fn via(&self) -> Via<'_> {
        Via { handle: &self.handle, cause: None }
    }

    /// Publishes an event of this tenant. One that names another tenant is refused (`forbidden`).
    pub fn publish(&self, event: impl Into<NewEvent>) -> Publish<'_> {
        Publish::new(self.via(), event.into())
    }

    /// Publishes events of this tenant, all or none, in their order.
    pub fn publish_all<E: Into<NewEvent>>(&self, events: impl IntoIterator<Item = E>) -> PublishAll<'_> {
        PublishAll::new(self.via(), events)
    }

    /// Publishes an event and waits for what the listener of that name gives to
    /// [`cx.reply`](crate::Context::reply) for it: the tenant's own listener, else the installation's.
    pub fn publish_and_wait<T: serde::de::DeserializeOwned>(
        &self,
        event: impl Into<NewEvent>,
        listener: &str,
    ) -> PublishAndWait<'_, T> {
        PublishAndWait::new(self.via(), event.into(), listener)
    }

    /// Subscribes a listener under a durable name of the tenant's own; see [`Subscribe`].
    pub fn subscribe<P: Payload, L: Listener<P>>(&self, name: &str, listener: L) -> Subscribe<'_, P> {
        Subscribe::new(&self.handle, name, listener)
    }

    /// As [`Self::subscribe`], under the name `<app>/<pattern>`.
    pub fn on<P: Payload, L: Listener<P>>(&self, pattern: &str, listener: L) -> Subscribe<'_, P> {
        Subscribe::unnamed(&self.handle, pattern, listener)
    }

    /// Subscribes a listener to all of the tenant's events, under the name `<app>/*`.
    pub fn subscribe_all<P: Payload, L: Listener<P>>(&self, listener: L) -> Subscribe<'_, P> {
        self.on("*", listener)
    }

    /// A subscription of the tenant's by its name; whether it exists is told by the first call on it.
    pub fn subscription(&self, name: &str) -> Result<Subscription, Error> {
        Ok(Subscription::new(self.handle.clone(), self.handle.scope.owner()?, SubscriptionName::new(name)?))
    }

    /// Listens from now on, as long as what this returns is kept, to the tenant's events that match `pattern`: one
    /// pattern or several, exclusions too, such as `ticket.* !ticket.viewed`.
    pub async fn ephemeral<P: Payload, L: Listener<P>>(&self, pattern: &str, listener: L) -> Result<Ephemeral, Error> {
        ephemeral::listen(&self.handle, pattern, listener).await
    }

    /// Calls the inline listeners of a value, and nobody else: nothing is stored, and nothing can fail. On a handle
    /// whose tenant's name cannot be one, nothing is called, and that is logged.
    pub fn emit<T: EventType>(&self, value: &T) {
        inline::emit(&self.handle, value);
    }
}
