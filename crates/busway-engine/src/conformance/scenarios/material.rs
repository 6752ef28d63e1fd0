//! What scenarios publish and subscribe to.

use std::time::Duration;

use busway_core::{
    Definition, Event, EventType, Key, Mode, NewEvent, Owner, Patterns, Payload, Result, Retry, Start,
    SubscriptionName, TenantId,
};

/// The installation, which owns most scenarios' subscriptions.
pub(super) const ALL: Owner = Owner::Installation;

/// An event of type `made` of tenant `acme` that bears a number.
pub(super) fn event(n: u64) -> NewEvent {
    let payload = Payload::from_store(format!("{{\"n\":{n}}}"));
    NewEvent::new(EventType::from_store("made"), payload).with_tenant(tenant("acme"))
}

/// The same with a key.
pub(super) fn keyed(n: u64, key: &str) -> NewEvent {
    event(n).with_key(Key::from_store(key))
}

/// The same of another type.
pub(super) fn typed(n: u64, event_type: &str) -> NewEvent {
    NewEvent { event_type: EventType::from_store(event_type), ..event(n) }
}

/// The number that an event bears.
pub(super) fn number(event: &Event) -> u64 {
    number_in(&event.payload)
}

/// The number that a payload bears.
pub(super) fn number_in(payload: &Payload) -> u64 {
    let digits = payload.as_str().trim_start_matches("{\"n\":");
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().unwrap_or(u64::MAX)
}

/// A tenant.
pub(super) fn tenant(name: &str) -> TenantId {
    TenantId::from_store(name)
}

/// A subscription's name.
pub(super) fn name(text: &str) -> SubscriptionName {
    SubscriptionName::from_store(text)
}

/// Everything from the start on, worked on by members; three runs a hundred milliseconds apart.
pub(super) fn run() -> Definition {
    of(&["*"], Mode::Run)
}

/// The same for pullers.
pub(super) fn pull() -> Definition {
    of(&["*"], Mode::Pull)
}

fn of(types: &[&str], mode: Mode) -> Definition {
    let retry = Retry::fixed(Duration::from_millis(100)).attempts(3).jitter(0.0);
    Definition { start: Start::Earliest, retry, ..Definition::new(all(), mode).with(types) }
}

fn all() -> Patterns {
    Patterns::parse(["*"]).unwrap_or_else(|error| panic!("`*` is a pattern: {error}"))
}

/// Changes of a definition.
pub(super) trait With: Sized {
    /// With these patterns.
    fn with(self, types: &[&str]) -> Self;
    /// From here on.
    fn from(self, start: Start) -> Self;
    /// With so many runs in all.
    fn attempts(self, attempts: u32) -> Self;
}

impl With for Definition {
    fn with(mut self, types: &[&str]) -> Self {
        self.types = Patterns::parse(types).unwrap_or_else(|error| panic!("{types:?} are no patterns: {error}"));
        self
    }

    fn from(mut self, start: Start) -> Self {
        self.start = start;
        self
    }

    fn attempts(mut self, attempts: u32) -> Self {
        self.retry.attempts = attempts;
        self
    }
}

/// True if every scenario is to run at its full size.
pub(super) fn full() -> bool {
    std::env::var("BUSWAY_CONFORMANCE").is_ok_and(|size| size == "full")
}

/// How many: fewer, unless every scenario is to run at its full size.
pub(super) fn scaled(few: u64, many: u64) -> u64 {
    if full() { many } else { few }
}

/// Numbers as they come.
pub(super) fn sorted(mut numbers: Vec<u64>) -> Vec<u64> {
    numbers.sort_unstable();
    numbers
}

/// The kind of the error that a call must end in.
pub(super) fn refused<T: std::fmt::Debug>(result: Result<T>) -> String {
    match result {
        Ok(given) => format!("not refused: {given:?}"),
        Err(error) => error.kind().code().to_owned(),
    }
}
