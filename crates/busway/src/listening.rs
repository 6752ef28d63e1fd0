use std::{marker::PhantomData, sync::Arc};

use busway_core::{EventType as TypeName, Owner, SubscriptionName};
use busway_engine::{BoxFuture, Delivery, Handler, Outcome};
use serde_json::Value;

use crate::{
    Context, Event, Listener, Payload,
    replies::{Answer, Wanted},
    shared::Handle,
    verdict,
};

/// The place a listener takes on the bus.
pub(crate) struct Seat {
    pub(crate) handle: Handle,
    pub(crate) owner: Owner,
    pub(crate) name: SubscriptionName,
    /// Runs in all before a delivery is dead.
    pub(crate) attempts: u32,
}

impl Seat {
    /// Its name among the listeners of every owner.
    fn full_name(&self) -> Arc<str> {
        match &self.owner {
            Owner::Installation => self.name.as_str().into(),
            // No name has a line's end in it.
            Owner::Tenant(tenant) => format!("{tenant}\n{}", self.name).into(),
        }
    }
}

/// A listener as the engine sees it.
pub(crate) struct Listening<P, L> {
    seat: Seat,
    listener: L,
    full_name: Arc<str>,
    payload: PhantomData<fn() -> P>,
}

impl<P: Payload, L: Listener<P>> Listening<P, L> {
    pub(crate) fn new(seat: Seat, listener: L) -> Self {
        Self { full_name: seat.full_name(), seat, listener, payload: PhantomData }
    }

    async fn run(&self, delivery: Delivery) -> Outcome {
        let ending = Ending { seat: &self.seat, delivery: &delivery, settled: false };
        let event = match Event::<P>::read(&delivery.event, delivery.stored_at) {
            Ok(event) => event,
            Err(undecodable) => return ending.settle(Outcome::Dead { error: undecodable.to_string() }, None),
        };
        if let Some(error) = self.seat.handle.shared.faults.as_ref().and_then(|faults| faults.next(&self.seat.name)) {
            return ending.settle(Outcome::Retry { delay: None, error }, None);
        }
        let context = Context::of(&self.seat.handle, &delivery, &self.full_name);
        let result = self.listener.handle(event, context.clone()).await;
        ending.settle(verdict::outcome(result), context.take_reply())
    }
}

impl<P: Payload, L: Listener<P>> Handler for Listening<P, L> {
    fn handles(&self, event_type: &TypeName) -> bool {
        P::handles(event_type)
    }

    fn handle(self: Arc<Self>, delivery: Delivery) -> BoxFuture<Outcome> {
        Box::pin(async move { self.run(delivery).await })
    }
}

/// Tells whoever waits for a reply how the run ended; a run that panics or is cancelled ends here too.
struct Ending<'a> {
    seat: &'a Seat,
    delivery: &'a Delivery,
    settled: bool,
}

impl Ending<'_> {
    fn settle(mut self, outcome: Outcome, reply: Option<Value>) -> Outcome {
        self.settled = true;
        match &outcome {
            Outcome::Done => self.answer(reply.map_or(Answer::Silent, Answer::Reply)),
            Outcome::Skipped => self.answer(Answer::Skipped),
            Outcome::Dead { error } => self.answer(Answer::Dead(error.clone())),
            Outcome::Retry { error, .. } if self.is_last() => self.answer(Answer::Dead(error.clone())),
            Outcome::Retry { .. } => {}
        }
        outcome
    }

    fn is_last(&self) -> bool {
        self.delivery.attempt >= self.seat.attempts
    }

    fn answer(&self, answer: Answer) {
        let replies = &self.seat.handle.shared.replies;
        if self.delivery.replay.is_none() && replies.are_awaited() {
            let wanted = Wanted {
                owner: self.seat.owner.clone(),
                name: self.seat.name.clone(),
                tenant: self.delivery.event.tenant.clone(),
                event: self.delivery.event.id,
            };
            replies.answer(&wanted, answer);
        }
    }
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        if !self.settled && self.is_last() {
            self.answer(Answer::Dead("its last run panicked, took too long or was cancelled".into()));
        }
    }
}
