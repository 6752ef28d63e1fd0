use busway_core::{Error, SubscriptionName};
use busway_engine::{
    Engine, ShutdownReport,
    inline::{Occurrence, Registration},
};

use crate::{
    Ephemeral, EventType, Listener, NewEvent, Payload, Publish, PublishAll, PublishAndWait, Result, Subscribe,
    Subscription, Tenant, ephemeral, inline, publish::Via, scope::Scope, shared::Handle, signals,
};

/// The bus, as the installation sees it: every tenant's events. Cheap to clone; once the last clone and the last
/// [`Tenant`] are gone it shuts itself down.
#[derive(Clone, Debug)]
pub struct Bus {
    handle: Handle,
}

impl Bus {
    pub(crate) fn new(handle: Handle) -> Self {
        Self { handle }
    }

    fn via(&self) -> Via<'_> {
        Via { handle: &self.handle, cause: None }
    }

    /// The bus of one tenant. A name that cannot be one is told by the first call that is awaited.
    pub fn tenant(&self, name: impl AsRef<str>) -> Tenant {
        Tenant::new(self.handle.scoped(Scope::tenant(name.as_ref())))
    }

    /// Publishes an event of the tenant it names, else of the default tenant.
    pub fn publish(&self, event: impl Into<NewEvent>) -> Publish<'_> {
        Publish::new(self.via(), event.into())
    }

    /// Publishes events, all or none, in their order; each of the tenant it names, else of the default tenant.
    pub fn publish_all<E: Into<NewEvent>>(&self, events: impl IntoIterator<Item = E>) -> PublishAll<'_> {
        PublishAll::new(self.via(), events)
    }

    /// Publishes an event and waits for what the listener of that name gives to
    /// [`cx.reply`](crate::Context::reply) for it.
    pub fn publish_and_wait<T: serde::de::DeserializeOwned>(
        &self,
        event: impl Into<NewEvent>,
        listener: &str,
    ) -> PublishAndWait<'_, T> {
        PublishAndWait::new(self.via(), event.into(), listener)
    }

    /// Subscribes a listener to the events of every tenant under a durable name; see [`Subscribe`].
    pub fn subscribe<P: Payload, L: Listener<P>>(&self, name: &str, listener: L) -> Subscribe<'_, P> {
        Subscribe::new(&self.handle, name, listener)
    }

    /// As [`Self::subscribe`], under the name `<app>/<pattern>`. A second listener under that name is refused: give
    /// it a name by [`Self::subscribe`].
    pub fn on<P: Payload, L: Listener<P>>(&self, pattern: &str, listener: L) -> Subscribe<'_, P> {
        Subscribe::unnamed(&self.handle, pattern, listener)
    }

    /// Subscribes a listener to every event, under the name `<app>/*`.
    pub fn subscribe_all<P: Payload, L: Listener<P>>(&self, listener: L) -> Subscribe<'_, P> {
        self.on("*", listener)
    }

    /// A subscription of the installation's by its name; whether it exists is told by the first call on it.
    pub fn subscription(&self, name: &str) -> Result<Subscription, Error> {
        Ok(Subscription::new(self.handle.clone(), self.handle.scope.owner()?, SubscriptionName::new(name)?))
    }

    /// Listens from now on, as long as what this returns is kept, to events that match `pattern`: one pattern or
    /// several, exclusions too, such as `ticket.* !ticket.viewed`.
    pub async fn ephemeral<P: Payload, L: Listener<P>>(&self, pattern: &str, listener: L) -> Result<Ephemeral, Error> {
        ephemeral::listen(&self.handle, pattern, listener).await
    }

    /// Calls a listener synchronously, in this process, with every value of its type that is emitted or published, of
    /// every tenant: in the order of registration, before the emitter's call goes on. An error or a panic in it is
    /// logged and counted, and reaches nobody. It stays when what this returns is dropped.
    pub fn inline<T: EventType>(
        &self,
        name: &str,
        listener: impl Fn(&T, &Occurrence<'_>) -> Result<()> + Send + Sync + 'static,
    ) -> Registration {
        inline::listen(&self.handle, name, listener)
    }

    /// As [`Self::inline`], for everything whose type matches `pattern`: one pattern or several, exclusions too.
    pub fn inline_on(
        &self,
        name: &str,
        pattern: &str,
        listener: impl Fn(&Occurrence<'_>) -> Result<()> + Send + Sync + 'static,
    ) -> Result<Registration, Error> {
        inline::listen_on(&self.handle, name, pattern, listener)
    }

    /// As [`Tenant::emit`], for the default tenant.
    pub fn emit<T: EventType>(&self, value: &T) {
        inline::emit(&self.handle, value);
    }

    /// Waits until everything that the listeners of this process can handle now is handled: nothing runs or waits in
    /// line, but for what is held until its time or until someone decides.
    pub async fn idle(&self) -> Result<(), Error> {
        self.handle.engine().idle().await
    }

    /// Works until Ctrl-C, SIGTERM or [`Self::shutdown`], then finishes what is in flight. A second Ctrl-C or
    /// SIGTERM ends the wait for that.
    pub async fn run(&self) -> Result<(), Error> {
        let mut signals = signals::Signals::listen()?;
        tokio::select! {
            () = signals.next() => {}
            () = self.handle.shared.closed() => return Ok(()),
        }
        tracing::info!("shutting down; once more to end at once");
        tokio::select! {
            report = self.shutdown() => report.map(drop),
            () = signals.next() => Err(signals::interrupted()),
        }
    }

    /// Ends gracefully: takes nothing new, finishes or hands back what runs, and leaves. Every clone of the bus is
    /// closed then; calling it again gives the same report.
    pub async fn shutdown(&self) -> Result<ShutdownReport, Error> {
        self.handle.shared.shutdown().await
    }

    /// The engine underneath, for what an operator does: subscriptions, stored events, dead letters, operations.
    pub fn engine(&self) -> &Engine {
        self.handle.engine()
    }
}
