//! What the engine shows: subscriptions, deliveries handed to pullers, events with what became of them.

use std::{sync::Arc, time::Duration};

use busway_core::{
    Definition, Entry, Failure, Owner, Patterns, SubscriptionId, SubscriptionName, SubscriptionState, TenantId,
    Timestamp,
};
use uuid::Uuid;

/// What became of one published event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// The event's id.
    pub id: Uuid,
    /// True if (tenant, id) was stored before.
    pub duplicate: bool,
    /// When the store took it.
    pub stored_at: Timestamp,
}

/// What a `put` did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// The subscription is new.
    Made,
    /// It stood there as asked.
    Same,
    /// Its definition was changed.
    Changed,
}

/// A subscription as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct SubscriptionView {
    /// Its id.
    pub id: SubscriptionId,
    /// Whose it is.
    pub owner: Owner,
    /// Its name.
    pub name: SubscriptionName,
    /// The newest revision of its definition.
    pub revision: u64,
    /// The definition.
    pub definition: Definition,
    /// How it stands.
    pub state: SubscriptionState,
    /// Names of the members that have a handler for it.
    pub members: Vec<String>,
    /// At most this many events are unread; about so where they are thousands.
    pub lag_at_most: u64,
    /// How long the oldest unread event has been stored; zero if all is read.
    pub oldest_age: Duration,
    /// Handed out and not settled, in this process and, of mode `pull`, in all.
    pub in_flight: u64,
    /// Keys held.
    pub held: u64,
    /// Dead letters.
    pub dead: u64,
    /// Deliveries acknowledged, ever.
    pub delivered_total: u64,
    /// Runs failed, ever.
    pub failed_total: u64,
    /// When it was made.
    pub made_at: Timestamp,
}

/// A delivery handed to a puller.
#[derive(Clone, Debug)]
pub struct Leased {
    /// To settle it by; opaque.
    pub delivery_id: String,
    /// Runs begun on this event, this one included (1 for the later events of a lease).
    pub attempt: u32,
    /// Until when it is the puller's.
    pub lease_ends_at: Timestamp,
    /// Rises with each lease of the key.
    pub fence: u64,
    /// The replay's operation, if this is one.
    pub replay: Option<Uuid>,
    /// The event, with the edited payload if it is a retried dead letter that has one.
    pub entry: Arc<Entry>,
}

/// What a puller says of its deliveries.
#[derive(Clone, Debug, Default)]
pub struct Settlements {
    /// Handled.
    pub ack: Vec<String>,
    /// To be tried again.
    pub retry: Vec<SettleRetry>,
    /// Beyond help.
    pub dead: Vec<SettleDead>,
    /// To be the puller's for longer.
    pub extend: Vec<SettleExtend>,
}

/// A delivery to be tried again.
#[derive(Clone, Debug)]
pub struct SettleRetry {
    /// The delivery.
    pub id: String,
    /// After how long; by the policy if `None`.
    pub delay: Option<Duration>,
    /// Why.
    pub error: Option<String>,
}

/// A delivery beyond help.
#[derive(Clone, Debug)]
pub struct SettleDead {
    /// The delivery.
    pub id: String,
    /// Why.
    pub error: Option<String>,
}

/// A delivery that needs longer.
#[derive(Clone, Debug)]
pub struct SettleExtend {
    /// The delivery.
    pub id: String,
    /// By how much from now its lease ends.
    pub by: Duration,
}

/// What became of one settlement, in the order sent: ack, retry, dead, extend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The delivery.
    pub id: String,
    /// False if it was no longer the caller's (`stale`).
    pub settled: bool,
}

/// Which stored events, and in which order.
#[derive(Clone, Debug, Default)]
pub struct EventQuery {
    /// Types; all if `None`.
    pub types: Option<Patterns>,
    /// One tenant's.
    pub tenant: Option<TenantId>,
    /// With this ordering key.
    pub key: Option<String>,
    /// With this `correlationId`.
    pub correlation_id: Option<String>,
    /// An id or its beginning, a key, a correlation id, or `/pointer=value` in the payload.
    pub find: Option<String>,
    /// Stored at or after.
    pub after: Option<Timestamp>,
    /// Stored before.
    pub before: Option<Timestamp>,
    /// Newest first.
    pub descending: bool,
    /// At most this many, 1 to 1,000.
    pub limit: usize,
    /// Where the page before ended ([`EventPage::next`]).
    pub cursor: Option<String>,
}

/// A page of stored events in the order (stored_at, lane, seq).
#[derive(Clone, Debug)]
pub struct EventPage {
    /// The events.
    pub entries: Vec<Arc<Entry>>,
    /// The cursor of the next page.
    pub next: Option<String>,
}

/// What became of an event in one subscription.
#[derive(Clone, Debug, PartialEq)]
pub struct DeliveryView {
    /// The subscription's name.
    pub subscription: SubscriptionName,
    /// How it stands.
    pub state: DeliveryState,
    /// Runs begun.
    pub attempts: u32,
    /// When it is tried next, if it is held for that.
    pub due: Option<Timestamp>,
    /// Its failures, newest last.
    pub failures: Vec<Failure>,
    /// Its dead letter.
    pub dead_letter: Option<u64>,
}

/// How a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// Not handed out yet, or running for the first time.
    Waiting,
    /// Acknowledged.
    Delivered,
    /// In a hold.
    Held,
    /// Dead-lettered.
    Dead,
}

/// An event and what became of it.
#[derive(Clone, Debug)]
pub struct EventReport {
    /// The event.
    pub entry: Arc<Entry>,
    /// Per subscription that it matches.
    pub deliveries: Vec<DeliveryView>,
    /// The event that caused it (`causationId`), if it is kept.
    pub caused_by: Option<Arc<Entry>>,
    /// The newest events that it caused, at most 100.
    pub caused: Vec<Arc<Entry>>,
}

/// What an event will reach, for `explain`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explained {
    /// Names of the subscriptions that will get it.
    pub subscriptions: Vec<String>,
    /// Nothing listens; a near miss of a known type.
    pub warnings: Vec<String>,
}

/// What a shutdown left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShutdownReport {
    /// Runs that ended by themselves.
    pub finished: u64,
    /// Runs that were cancelled and handed back.
    pub cancelled: u64,
}
