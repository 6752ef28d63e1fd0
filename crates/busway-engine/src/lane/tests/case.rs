//! What a search is about: the events, how they behave, and how often each fault may happen.

use busway_core::{KeyId, OnDead, TurnId};

use super::super::{Limits, Policy};

/// One event of the log; its seq is its place, from 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    pub(super) key: KeyId,
    pub(super) turn: TurnId,
    /// Its handler may acknowledge it.
    pub(super) acks: bool,
    /// Its handler may fail.
    pub(super) fails: bool,
    /// Its handler may fail for good.
    pub(super) dies: bool,
    /// Its handler may kill its process.
    pub(super) kills: bool,
    /// Whether the first and the second revision want it.
    pub(super) wanted: [bool; 2],
}

/// An event that is always acknowledged, of a key (0: of none) of the first tenant.
pub(super) fn good(key: u128) -> Event {
    let key = KeyId(key);
    Event { key, turn: TurnId(1), acks: true, fails: false, dies: false, kills: false, wanted: [true; 2] }
}

pub(super) fn flaky(key: u128) -> Event {
    Event { fails: true, ..good(key) }
}

pub(super) fn poison(key: u128) -> Event {
    Event { dies: true, ..good(key) }
}

pub(super) fn killer(key: u128) -> Event {
    Event { acks: false, kills: true, ..good(key) }
}

/// Fails, kills or is acknowledged, as it likes.
pub(super) fn moody(key: u128) -> Event {
    Event { fails: true, kills: true, ..good(key) }
}

/// Whatever an event may do, but kill.
pub(super) fn fickle(key: u128) -> Event {
    Event { fails: true, dies: true, ..good(key) }
}

impl Event {
    pub(super) fn of_tenant(self, turn: u64) -> Self {
        Self { turn: TurnId(turn), ..self }
    }

    pub(super) fn wanted(self, wanted: [bool; 2]) -> Self {
        Self { wanted, ..self }
    }
}

/// What an operator may ask for, once each, at any time it makes sense.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ask {
    Retry(u64),
    Discard(u64),
    Seek(u64),
    Redefine,
}

/// How often what may still happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Faults {
    /// A process dies.
    pub(super) crashes: u8,
    /// A lane is taken from a holder that lives.
    pub(super) lost_leases: u8,
    /// A lane is given back.
    pub(super) releases: u8,
    /// A commit is stored and its answer is lost.
    pub(super) lost_answers: u8,
    /// A handler is cancelled.
    pub(super) cancels: u8,
    pub(super) pauses: u8,
    pub(super) prunes: u8,
    /// A run is slow.
    pub(super) slow: u8,
}

/// A search.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) events: Vec<Event>,
    /// Events that are there from the start.
    pub(super) published: u64,
    pub(super) members: usize,
    pub(super) limits: Limits,
    pub(super) policy: Policy,
    pub(super) faults: Faults,
    pub(super) asks: Vec<Ask>,
    /// A read takes its time.
    pub(super) slow_reads: bool,
    /// A commit of a dead process may still arrive.
    pub(super) late_commits: bool,
    /// Runs are counted.
    pub(super) counted: bool,
    /// Its lane waits for the process's permit; else it has one of its own.
    pub(super) beside_others: bool,
}

impl Case {
    /// One member, window 2, 2 attempts, everything published, no faults.
    pub(super) fn of(events: impl IntoIterator<Item = Event>) -> Self {
        let events: Vec<Event> = (1..).zip(events).map(|(seq, event)| keyless_as_itself(seq, event)).collect();
        Self {
            published: events.len() as u64,
            events,
            members: 1,
            limits: Limits {
                window: 2,
                window_bytes: 1 << 20,
                max_holds: 8,
                armed: 8,
                breaker: 100,
                slow_ms: 1_000_000,
                crowd_ms: 1_000_000,
                lazy_ms: 0,
            },
            policy: Policy { attempts: 2, on_dead: OnDead::Skip },
            faults: Faults::default(),
            asks: Vec::new(),
            slow_reads: false,
            late_commits: false,
            counted: false,
            beside_others: false,
        }
    }

    pub(super) fn attempts(self, attempts: u32) -> Self {
        Self { policy: Policy { attempts, ..self.policy }, ..self }
    }

    pub(super) fn on_dead(self, on_dead: OnDead) -> Self {
        Self { policy: Policy { on_dead, ..self.policy }, ..self }
    }

    pub(super) fn window(self, window: usize) -> Self {
        Self { limits: Limits { window, ..self.limits }, ..self }
    }

    /// True if only killers end processes.
    pub(super) fn only_killers(&self) -> bool {
        self.faults.crashes == 0 && self.faults.lost_leases == 0
    }

    pub(super) fn event(&self, seq: u64) -> Event {
        self.events[seq as usize - 1]
    }
}

fn keyless_as_itself(seq: u64, event: Event) -> Event {
    if event.key == KeyId(0) { Event { key: KeyId::solo(seq), ..event } } else { event }
}
