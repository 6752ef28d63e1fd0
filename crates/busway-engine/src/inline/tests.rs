mod counting;
mod failing;
mod listening;
mod model;

use std::sync::{Arc, Mutex};

use busway_core::{Event, EventType, Metadata, Patterns, Payload, TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::*;

#[derive(Serialize, Deserialize)]
struct TicketCreated {
    id: u32,
}

impl TicketCreated {
    const TYPE: &'static str = "ticket.created";
}

#[derive(Serialize, Deserialize)]
struct ShiftCreated {}

impl ShiftCreated {
    const TYPE: &'static str = "shift.created";
}

/// What listeners wrote, in order.
#[derive(Clone, Default)]
struct Journal(Arc<Mutex<Vec<String>>>);

impl Journal {
    fn write(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    /// A listener that writes its name.
    fn listener(&self, name: &'static str) -> impl Fn(&Occurrence<'_>) -> Result<(), BoxError> + Send + Sync + 'static {
        let journal = self.clone();
        move |_| {
            journal.write(name);
            Ok(())
        }
    }
}

fn acme() -> TenantId {
    TenantId::new("acme").unwrap()
}

fn event_type(text: &str) -> EventType {
    EventType::new(text).unwrap()
}

fn types(text: &str) -> Patterns {
    text.parse().unwrap()
}

fn stored(type_name: &str, payload: &str) -> Arc<Event> {
    Arc::new(Event {
        id: Uuid::from_u128(7),
        event_type: event_type(type_name),
        tenant: acme(),
        key: None,
        time: Timestamp::default(),
        payload: Payload::from_json(payload).unwrap(),
        metadata: Metadata::default(),
    })
}

/// Executed and failed of a listener.
fn runs(inline: &Inline, name: &str) -> (u64, u64) {
    let stats = inline.stats();
    stats.listeners.iter().find(|stats| &*stats.name == name).map_or((0, 0), |stats| (stats.executed, stats.failed))
}

fn emitted(inline: &Inline, type_name: &str) -> u64 {
    inline.stats().emitted.get(&event_type(type_name)).copied().unwrap_or(0)
}
