//! Events like those of an application: 16 tenants, 256 keys, a payload of 230 bytes.

use std::sync::Arc;

use busway_core::{Event, Metadata, NewEvent, Payload, Seam};

/// As they stand in a log.
pub(crate) fn stored(count: usize) -> Vec<Arc<Event>> {
    let seam = Seam::system();
    let make = |new: NewEvent| {
        Arc::new(Event {
            id: seam.id(),
            event_type: new.event_type,
            tenant: new.tenant.unwrap(),
            key: new.key,
            time: seam.now(),
            payload: new.payload,
            metadata: Metadata::default(),
        })
    };
    new(count).map(make).collect()
}

/// As they are published.
pub(crate) fn new(count: usize) -> impl Iterator<Item = NewEvent> {
    let seam = Seam::system();
    let payload = format!(r#"{{"shiftId":"{}","note":"{}"}}"#, seam.id(), "x".repeat(170));
    let payload = Payload::from_json(payload).unwrap();
    let one = move |_| {
        let chance = seam.random();
        NewEvent::new("shift.signup.created".parse().unwrap(), payload.clone())
            .with_tenant(format!("tenant-{}", chance % 16).parse().unwrap())
            .with_key(format!("key-{}", chance >> 32 & 0xff).parse().unwrap())
    };
    (0..count).map(one)
}
