use std::{
    future::{Future, IntoFuture},
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use busway_core::{
    Definition, Error, ErrorKind, EventType as TypeName, FieldError, Mode, OnDead, Order, Owner, Patterns, Retry,
    Start, SubscriptionName,
};
use busway_engine::Handler;

use crate::{
    Listener, Payload, Subscription,
    listening::{Listening, Seat},
    shared::Handle,
};

type Seating = Box<dyn FnOnce(Seat) -> Arc<dyn Handler> + Send>;

/// A subscription about to be made, or found as it stands: it is when this is awaited.
///
/// Its name is durable: what is published while no process listens waits for the next one. If another
/// definition stands under the name it is refused (`definition_differs`) unless [`Self::update`] is said.
#[must_use = "nothing is subscribed until this is awaited"]
pub struct Subscribe<'a, P> {
    handle: &'a Handle,
    name: String,
    by_default: bool,
    types: Vec<String>,
    definition: Definition,
    update: bool,
    seating: Seating,
    payload: PhantomData<fn() -> P>,
}

impl<'a, P: Payload> Subscribe<'a, P> {
    pub(crate) fn new<L: Listener<P>>(handle: &'a Handle, name: &str, listener: L) -> Self {
        Self {
            handle,
            name: name.into(),
            by_default: false,
            types: Vec::new(),
            definition: Definition::new(Patterns::all(), Mode::Run),
            update: false,
            seating: Box::new(|seat| Arc::new(Listening::new(seat, listener))),
            payload: PhantomData,
        }
    }

    /// A subscription to `pattern` that is named after it.
    pub(crate) fn unnamed<L: Listener<P>>(handle: &'a Handle, pattern: &str, listener: L) -> Self {
        Self { by_default: true, ..Self::new(handle, &handle.default_name(pattern), listener).on(pattern) }
    }

    /// Events whose type matches, such as `ticket.created` or `ticket.*`; may be said several times. Without it:
    /// the types of the listener's payload.
    ///
    /// The payload must be able to hold every type that comes: an event that it has no place for is neither
    /// handled nor acknowledged, and waits for a process that has.
    pub fn on(mut self, pattern: &str) -> Self {
        self.types.push(pattern.into());
        self
    }

    /// But not events whose type matches this; may be said several times.
    pub fn except(mut self, pattern: &str) -> Self {
        self.types.push(format!("!{pattern}"));
        self
    }

    /// Most runs at once in this process; 16 if not said.
    pub fn concurrency(mut self, most: u32) -> Self {
        self.definition.concurrency = most;
        self
    }

    /// When a failed delivery is tried again, and how often; five runs with a doubling delay if not said.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.definition.retry = retry;
        self
    }

    /// What becomes of a key after a dead letter; it goes on with its next event if not said.
    pub fn on_dead(mut self, on_dead: OnDead) -> Self {
        self.definition.on_dead = on_dead;
        self
    }

    /// What is delivered one at a time; each key if not said.
    pub fn order(mut self, order: Order) -> Self {
        self.definition.order = order;
        self
    }

    /// Where a new subscription starts; at the log's end if not said. One that exists goes on where it was.
    pub fn start(mut self, start: Start) -> Self {
        self.definition.start = start;
        self
    }

    /// How long one run may take before it counts as failed; 30 seconds if not said.
    pub fn ack_timeout(mut self, timeout: Duration) -> Self {
        self.definition.ack_timeout_ms = millis(timeout);
        self
    }

    /// Remove the subscription once it has stood unread this long; never if not said.
    pub fn expire_after(mut self, unread: Duration) -> Self {
        self.definition.expire_after_ms = Some(millis(unread));
        self
    }

    /// Let this definition take the place of another one under the name.
    pub fn update(mut self) -> Self {
        self.update = true;
        self
    }

    fn types(&self) -> Result<Patterns, Error> {
        let own = P::patterns();
        if self.types.iter().all(|pattern| pattern.starts_with('!')) {
            return Patterns::parse(own.into_iter().chain(self.types.iter().map(String::as_str)));
        }
        let types = Patterns::parse(&self.types)?;
        let deaf: Vec<_> = types
            .included()
            .iter()
            .filter(|pattern| !own.iter().any(|own| may_meet(own, pattern)))
            .map(|pattern| {
                let detail =
                    format!("the listener's payload holds {}, nothing that `{pattern}` catches", own.join(", "));
                FieldError::new("/types", "no_place", detail)
            })
            .collect();
        if deaf.is_empty() { Ok(types) } else { Err(Error::invalid(ErrorKind::InvalidBody, deaf)) }
    }

    async fn seat(mut self) -> Result<Subscription, Error> {
        let owner = self.handle.scope.owner()?;
        let name = SubscriptionName::new(self.name.as_str()).map_err(|error| self.rename(error))?;
        self.definition.types = self.types()?;
        self.definition.check()?;
        self.handle.engine().ready().await?;
        let place = Place::take(self.handle, &owner, &name, &self.definition.types).ok_or_else(|| self.taken(&name))?;
        let attempts = self.definition.retry.attempts;
        let seat = Seat { handle: self.handle.inside(), owner: owner.clone(), name: name.clone(), attempts };
        let handler = (self.seating)(seat);
        self.handle.engine().subscribe(owner.clone(), name.clone(), self.definition, self.update, handler).await?;
        place.keep();
        Ok(Subscription::new(self.handle.clone(), owner, name))
    }

    /// A name that was made by default cannot be told to be wrong: the way out is another one.
    fn rename(&self, error: Error) -> Error {
        if self.by_default {
            error.with_context("name it", "bus.subscribe(\"a-name\", listener).on(..)")
        } else {
            error
        }
    }

    fn taken(&self, name: &SubscriptionName) -> Error {
        let way_out = if self.by_default {
            let types = self.types.join("\").on(\"");
            format!("give this one a name of its own: bus.subscribe(\"a-name\", listener).on(\"{types}\")")
        } else {
            "give this one another name, and it hears everything too".to_owned()
        };
        Error::new(ErrorKind::DefinitionDiffers, format!("`{name}` has a listener in this process already; {way_out}"))
    }
}

/// False if no type of the one is caught by the other. Of two patterns it is not known.
fn may_meet(own: &str, pattern: &busway_core::Pattern) -> bool {
    TypeName::new(own).map_or(true, |own| pattern.matches(&own))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A name among those served by this process, given back unless it is kept.
struct Place<'a> {
    handle: &'a Handle,
    seat: Option<(Owner, SubscriptionName)>,
}

impl<'a> Place<'a> {
    /// `None` if it is taken.
    fn take(handle: &'a Handle, owner: &Owner, name: &SubscriptionName, types: &Patterns) -> Option<Self> {
        let seat = (owner.clone(), name.clone());
        let mut served = handle.shared.served();
        if served.contains_key(&seat) {
            return None;
        }
        served.insert(seat.clone(), types.clone());
        Some(Self { handle, seat: Some(seat) })
    }

    fn keep(mut self) {
        self.seat = None;
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(seat) = self.seat.take() {
            self.handle.shared.served().remove(&seat);
        }
    }
}

impl<'a, P: Payload> IntoFuture for Subscribe<'a, P> {
    type Output = Result<Subscription, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.seat())
    }
}

impl<P> std::fmt::Debug for Subscribe<'_, P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscribe").field("name", &self.name).field("types", &self.types).finish_non_exhaustive()
    }
}
