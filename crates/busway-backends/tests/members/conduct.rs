//! How the handlers of a member process behave, by a name that another process can be told.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use busway_core::{
    Definition, Event, EventType, Key, Mode, NewEvent, Owner, Patterns, Payload, Retry, Start, SubscriptionName,
    TenantId,
};
use busway_engine::{BoxFuture, Config, Delivery, Handler, Outcome};

use super::diary::{Diary, Line};

/// The installation, which owns the tests' subscription.
pub(crate) const OWNER: Owner = Owner::Installation;

/// The tests' subscription.
pub(crate) fn subscription() -> SubscriptionName {
    SubscriptionName::new("s").unwrap()
}

/// What a handler does with one run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    Done,
    /// Done after a while.
    DoneAfter(Duration),
    /// Done once the test opens the gate.
    DoneBehindGate,
    Fail,
    FailForGood,
    /// Aborts its process.
    Abort,
}

/// How a member works and what its handlers do.
#[derive(Debug)]
pub(crate) struct Conduct {
    pub(crate) name: &'static str,
    pub(crate) config: fn() -> Config,
    pub(crate) definition: fn() -> Definition,
    /// What is done with a run: of which event, at which attempt.
    pub(crate) act: fn(u64, u32) -> Act,
}

impl Conduct {
    pub(crate) fn named(name: &str) -> &'static Self {
        let all = [
            super::kills::ALL_SORTS,
            super::catching_up::UNHURRIED,
            super::killers::KILLS,
            super::killers::KILLS_FROM_A_HOLD,
            super::frozen::WAITS,
            super::frozen::REFUSES_SOME,
            super::in_flight::HANGS,
            super::in_flight::PROMPT,
        ];
        all.into_iter().find(|conduct| conduct.name == name).unwrap_or_else(|| panic!("there is no conduct {name}"))
    }
}

/// A configuration whose lanes are taken over soon.
pub(crate) fn quick() -> Config {
    Config { lease: Duration::from_millis(900), ..Config::default() }
}

/// Everything from the start on; runs a tenth of a second apart.
pub(crate) fn run(attempts: u32, concurrency: u32) -> Definition {
    let retry = Retry::fixed(Duration::from_millis(100)).attempts(attempts);
    let definition = Definition::new(Patterns::parse(["*"]).unwrap(), Mode::Run);
    Definition { start: Start::Earliest, retry, concurrency, ack_timeout_ms: 300_000, ..definition }
}

/// The tenant of every event.
pub(crate) fn tenant() -> TenantId {
    TenantId::new("acme").unwrap()
}

/// The type of every event.
pub(crate) fn event_type() -> EventType {
    EventType::new("made").unwrap()
}

/// An event that bears a number.
pub(crate) fn event(n: u64, key: Option<&str>) -> NewEvent {
    let payload = Payload::from_json(format!("{{\"n\":{n}}}")).unwrap();
    let event = NewEvent::new(event_type(), payload).with_tenant(tenant());
    key.into_iter().fold(event, |event, key| event.with_key(Key::new(key).unwrap()))
}

/// The number that an event bears.
pub(crate) fn number(event: &Event) -> u64 {
    let text = event.payload.as_str();
    text.trim_start_matches("{\"n\":").trim_end_matches('}').parse().unwrap_or_else(|_| panic!("no number in {text}"))
}

/// The file whose being there means that [`Act::DoneBehindGate`] need wait no longer.
pub(crate) fn gate(diary: &Diary) -> PathBuf {
    diary.path().with_extension("gate")
}

/// A handler that writes down each of its runs.
#[derive(Debug)]
pub(crate) struct Writing {
    pub(crate) process: u64,
    pub(crate) diary: Diary,
    pub(crate) runs: AtomicU64,
    pub(crate) conduct: &'static Conduct,
}

impl Handler for Writing {
    fn handle(self: Arc<Self>, delivery: Delivery) -> BoxFuture<Outcome> {
        Box::pin(async move {
            let (process, event) = (self.process, number(&delivery.event));
            let run = self.runs.fetch_add(1, Ordering::Relaxed);
            let (attempt, fence) = (u64::from(delivery.attempt), delivery.fence);
            self.diary.write([Line::Started { process, run, event, attempt, fence }]);
            let (line, outcome) = match (self.conduct.act)(event, delivery.attempt) {
                Act::Abort => std::process::abort(),
                Act::Fail => {
                    let failed = Outcome::Retry { delay: None, error: "told to".into() };
                    (Line::Failed { process, run }, failed)
                }
                Act::FailForGood => (Line::Refused { process, run }, Outcome::Dead { error: "told to".into() }),
                Act::Done => (Line::Done { process, run }, Outcome::Done),
                Act::DoneAfter(time) => {
                    tokio::time::sleep(time).await;
                    (Line::Done { process, run }, Outcome::Done)
                }
                Act::DoneBehindGate => {
                    let gate = gate(&self.diary);
                    while !gate.exists() {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    (Line::Done { process, run }, Outcome::Done)
                }
            };
            self.diary.write([line]);
            outcome
        })
    }
}
