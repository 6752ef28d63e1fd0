//! The events that the tests speak of, and an ear that remembers what it heard.

use std::{
    future::{Future, ready},
    sync::{Arc, Mutex},
};

use busway::{Context, Event, EventType, Payload, Result};
use serde::{Deserialize, Serialize};

#[derive(EventType, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[event("ticket.created")]
pub(crate) struct TicketCreated {
    #[event(key)]
    pub(crate) id: u32,
    pub(crate) subject: String,
}

#[derive(EventType, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[event("ticket.closed")]
pub(crate) struct TicketClosed {
    #[event(key)]
    pub(crate) id: u32,
}

#[derive(EventType, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[event("mail.sent")]
pub(crate) struct MailSent {
    pub(crate) to: String,
}

#[derive(Payload, Clone, Debug, PartialEq)]
pub(crate) enum Ticket {
    Created(TicketCreated),
    Closed(TicketClosed),
}

pub(crate) fn created(id: u32) -> TicketCreated {
    TicketCreated { id, subject: format!("ticket {id}") }
}

/// Remembers what listeners hear; clones share one memory.
#[derive(Clone, Debug)]
pub(crate) struct Ear<T>(Arc<Mutex<Vec<T>>>);

impl<T> Default for Ear<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T: Clone> Ear<T> {
    pub(crate) fn hear(&self, heard: T) {
        self.0.lock().unwrap().push(heard);
    }

    pub(crate) fn heard(&self) -> Vec<T> {
        self.0.lock().unwrap().clone()
    }
}

impl<P: Payload + Clone + Sync> Ear<P> {
    /// A listener that remembers every payload.
    pub(crate) fn payloads(&self) -> impl Fn(Event<P>, Context) -> std::future::Ready<Result> + Send + Sync + 'static {
        let ear = self.clone();
        move |event, _| {
            ear.hear(event.payload);
            ready(Ok(()))
        }
    }
}

/// Whether a future can be sent to another thread; the compiler answers.
pub(crate) fn can_be_spawned<F: Future + Send>(future: F) -> F {
    future
}
