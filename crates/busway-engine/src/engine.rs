use std::{sync::Arc, time::Duration};

use busway_core::{
    DeadLetter, DeadLetterQuery, Definition, Entry, NewEvent, OperationRecord, Owner, Page, Patterns, Payload, Position, Result,
    Seam, Start, Stores, SubscriptionName, TenantId,
};
use uuid::Uuid;

use crate::{Config, EventPage, EventQuery, EventReport, Explained, Handler, Leased, Published, Put, Settled, Settlements, ShutdownReport, SubscriptionView};

/// The bus over one backend. Cheap to clone; clones are one engine.
#[derive(Clone)]
pub struct Engine {}

impl Engine {
    /// Opens the engine over a backend: joins as a member and starts its services.
    pub async fn start(stores: Stores, config: Config, seam: Seam) -> Result<Self> {
        let _ = (stores, config, seam);
        todo!()
    }

    /// Where time, ids and randomness come from.
    pub fn seam(&self) -> &Seam { todo!() }

    /// The backend.
    pub fn stores(&self) -> &Stores { todo!() }

    /// How it works.
    pub fn config(&self) -> &Config { todo!() }

    /// Publishes events, all or none, in the order given; returns once they are stored, then runs the inline
    /// listeners for those that are no duplicates. Missing ids, times and tenants are filled in.
    pub async fn publish(&self, events: Vec<NewEvent>) -> Result<Vec<Published>> { todo!() }

    /// What these would reach, in the same order; publishes nothing.
    pub async fn explain(&self, events: &[NewEvent]) -> Result<Vec<Explained>> { todo!() }

    /// Subscribes a handler in this process (mode `run`). Another definition under the name is refused with
    /// `DefinitionDiffers` unless `update`; a second handler for it in this process too.
    pub async fn subscribe(&self, owner: Owner, name: SubscriptionName, definition: Definition, update: bool, handler: Arc<dyn Handler>) -> Result<SubscriptionView> { todo!() }

    /// Ends this process's work on a subscription, gracefully; the subscription stays.
    pub async fn unsubscribe(&self, owner: &Owner, name: &SubscriptionName) -> Result<()> { todo!() }

    /// Makes a subscription, or finds it as asked, or changes it if `update`; answers when every lane that is
    /// held has adopted the change.
    pub async fn put(&self, owner: Owner, name: SubscriptionName, definition: Definition, update: bool) -> Result<(Put, SubscriptionView)> { todo!() }

    /// One subscription; `NotFound`.
    pub async fn subscription(&self, owner: &Owner, name: &SubscriptionName) -> Result<SubscriptionView> { todo!() }

    /// All subscriptions by (owner, name), or one owner's.
    pub async fn subscriptions(&self, owner: Option<&Owner>) -> Result<Vec<SubscriptionView>> { todo!() }

    /// Removes a subscription.
    pub async fn remove(&self, owner: &Owner, name: &SubscriptionName, keep_dead_letters: bool) -> Result<()> { todo!() }

    /// Stops handing out.
    pub async fn pause(&self, owner: &Owner, name: &SubscriptionName) -> Result<SubscriptionView> { todo!() }

    /// Goes on handing out.
    pub async fn resume(&self, owner: &Owner, name: &SubscriptionName) -> Result<SubscriptionView> { todo!() }

    /// Goes on from another place.
    pub async fn seek(&self, owner: &Owner, name: &SubscriptionName, to: Start) -> Result<SubscriptionView> { todo!() }

    /// Delivers stored events once more to this subscription alone; returns the operation. `Busy` while
    /// another replay of it runs.
    pub async fn replay(&self, owner: &Owner, name: &SubscriptionName, from: Start, to: Start, types: Option<Patterns>) -> Result<Uuid> { todo!() }

    /// Leases up to `max` (1 to 1,000) deliveries of a subscription of mode `pull`; waits up to `wait` for the
    /// first. `WrongMode` for another mode.
    pub async fn pull(&self, owner: &Owner, name: &SubscriptionName, max: usize, wait: Duration) -> Result<Vec<Leased>> { todo!() }

    /// Settles leased deliveries; results in the order ack, retry, dead, extend. An id twice: `InvalidBody`
    /// and nothing is applied.
    pub async fn settle(&self, owner: &Owner, name: &SubscriptionName, settlements: Settlements) -> Result<Vec<Settled>> { todo!() }

    /// Dead letters by rising id.
    pub async fn dead_letters(&self, query: &DeadLetterQuery) -> Result<Page<DeadLetter>> { todo!() }

    /// One dead letter of an owner's subscriptions (`None`: anybody's); `NotFound`.
    pub async fn dead_letter(&self, owner: Option<&Owner>, id: u64) -> Result<DeadLetter> { todo!() }

    /// Sets the payload that a retry delivers; the event itself stays.
    pub async fn edit_dead_letter(&self, owner: Option<&Owner>, id: u64, payload: Payload) -> Result<DeadLetter> { todo!() }

    /// Runs a dead letter again, its attempts from 1; it leaves the list once acknowledged.
    pub async fn retry_dead_letter(&self, owner: Option<&Owner>, id: u64) -> Result<()> { todo!() }

    /// Removes a dead letter; a key that it blocks goes on.
    pub async fn discard_dead_letter(&self, owner: Option<&Owner>, id: u64) -> Result<()> { todo!() }

    /// Retries all that match (`after_id` and `limit` are not looked at); returns the operation.
    pub async fn retry_dead_letters(&self, query: DeadLetterQuery) -> Result<Uuid> { todo!() }

    /// Discards all that match; returns the operation.
    pub async fn discard_dead_letters(&self, query: DeadLetterQuery) -> Result<Uuid> { todo!() }

    /// One operation of an owner (`None`: anybody's); `NotFound`.
    pub async fn operation(&self, owner: Option<&Owner>, id: Uuid) -> Result<OperationRecord> { todo!() }

    /// Ends an operation.
    pub async fn cancel_operation(&self, owner: Option<&Owner>, id: Uuid) -> Result<()> { todo!() }

    /// Stored events.
    pub async fn events(&self, query: EventQuery) -> Result<EventPage> { todo!() }

    /// One event and what became of it, by its id or by a beginning of it that is unique (at least 4 hex
    /// digits); `NotFound`. Deliveries of subscriptions of `owner` alone, of all if `None`.
    pub async fn event(&self, tenant: Option<&TenantId>, owner: Option<&Owner>, id: &str) -> Result<EventReport> { todo!() }

    /// Events as they are stored, from now or after a position; pins nothing. `PositionLost` if the position is
    /// not one of this log, or lies before what was pruned.
    pub async fn tail(&self, types: Patterns, tenant: Option<TenantId>, since: Option<Position>) -> Result<Tail> { todo!() }

    /// Whether the backend answers and the engine runs.
    pub async fn ready(&self) -> Result<()> { todo!() }

    /// Ends gracefully: takes nothing new, finishes or hands back what runs, settles, leaves.
    pub async fn shutdown(&self) -> Result<ShutdownReport> { todo!() }
}

/// Events as they are stored; ends with its owner.
pub struct Tail {}

impl Tail {
    /// The next event and the position after it; waits for one. `PositionLost` if what is next was pruned.
    pub async fn next(&mut self) -> Result<(Arc<Entry>, Position)> { todo!() }
}
