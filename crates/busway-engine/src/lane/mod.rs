//! The rules of a lane: what one subscription does with one lane of the log, as a pure state machine.
//!
//! A [`Lane`] is fed with what happened ([`Lane::read`], [`Lane::outcome`], [`Lane::confirm`], …) and asked
//! what to do next ([`Lane::next_run`], [`Lane::poll_commit`], [`Lane::poll_read`]). It has no I/O, no clock
//! and no locks: time is an argument. So the model checker and the simulation explore the code that runs.
//!
//! The words: the *window* is what was read and is not yet behind the stored position; a *hold* is one key
//! that waits while the position moves on; *alone* means that nothing else of the lane runs and that the
//! event was stored as `handed` first, so that a process it kills can be charged with it.

mod alone;
mod commit;
mod hold;
mod keymap;
pub(crate) mod pull;
mod read;
mod ready;
mod request;
mod rule;
mod run;
mod settle;
mod stream;
mod take;
mod turns;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use busway_core::{Checkpoint, DeadCause, KeyId, OnDead, Request, Seq, Timestamp, TurnId, Version};

use alone::Alone;
use commit::Flight;
pub(crate) use commit::{DeadPlan, Plan};
use hold::{Hold, Phase};
use keymap::KeyMap;
use ready::Ready;
use rule::{Rule, keeps};
use stream::{Chain, Stream};

/// A seq higher than any that a store gives, and still one that every store can keep.
pub(crate) const BEYOND: Seq = i64::MAX as Seq;

/// An event as the lane sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Item {
    pub(crate) seq: Seq,
    pub(crate) key: KeyId,
    pub(crate) turn: TurnId,
    pub(crate) size: u32,
}

/// Bounds of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Limits {
    /// Most events between the confirmed position and the cursor.
    pub(crate) window: usize,
    /// Most bytes of these.
    pub(crate) window_bytes: usize,
    /// Holds at which the lane stops fetching.
    pub(crate) max_holds: usize,
    /// Holds armed or running at most.
    pub(crate) armed: usize,
    /// Failures in a row at which the breaker opens.
    pub(crate) breaker: u32,
    /// Milliseconds after which a run becomes a hold.
    pub(crate) slow_ms: i64,
    /// Milliseconds for which one tenant must fill a full window before it is held.
    pub(crate) crowd_ms: i64,
    /// Milliseconds between commits that only move the position over events nobody wants.
    pub(crate) lazy_ms: i64,
}

/// What of a definition the lane needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Policy {
    /// Runs in all.
    pub(crate) attempts: u32,
    /// What becomes of a key after a dead letter.
    pub(crate) on_dead: OnDead,
}

/// An order to start a handler.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Run<E> {
    pub(crate) seq: Seq,
    pub(crate) key: KeyId,
    pub(crate) turn: TurnId,
    /// This run included.
    pub(crate) attempt: u32,
    /// Nothing else of the lane runs beside it.
    pub(crate) alone: bool,
    /// It has a dead letter: run its edited payload, if it has one.
    pub(crate) again: bool,
    /// The entry, where the lane still has it.
    pub(crate) body: Option<E>,
}

/// How a run ended, as the lane sees it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum End {
    /// Acknowledged.
    Ack,
    /// Failed; to be tried again at `due` unless that was the last attempt.
    Retry { due: Timestamp, error: std::sync::Arc<str> },
    /// Failed for good.
    Dead { cause: DeadCause, error: std::sync::Arc<str> },
    /// Never ran to an end and is not to be charged.
    Cancelled,
}

/// An order to read the log after `after`, up to `until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ReadWish {
    /// Of this tenant alone; else of all that are not held.
    pub(crate) turn: Option<TurnId>,
    pub(crate) after: Seq,
    pub(crate) until: Seq,
    pub(crate) max: usize,
    pub(crate) max_bytes: usize,
    /// Tells this wish from others.
    pub(crate) id: u64,
}

/// One lane of one subscription in the hands of its holder.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Lane<E> {
    limits: Limits,
    policy: Policy,
    /// The checkpoint as the newest commit, confirmed or under way, has it.
    stored: Checkpoint,
    /// The version that the lane is being taken from: nothing happens before that is confirmed.
    taking: Option<Version>,
    main: Stream<E>,
    turns: BTreeMap<TurnId, Stream<E>>,
    /// Keys with unsettled events in the window.
    chains: KeyMap<Chain>,
    holds: KeyMap<Hold>,
    /// Holds that wait, by when they are due.
    waiting: BTreeSet<(Timestamp, KeyId)>,
    /// Those whose next run is alone.
    suspects: BTreeSet<(Timestamp, KeyId)>,
    /// Holds with nothing left, until the position is past what they settled.
    spent: BTreeSet<(Seq, KeyId)>,
    /// Holds with seqs that are not yet stored.
    growing: BTreeSet<KeyId>,
    /// Holds to be written.
    dirty: BTreeSet<KeyId>,
    ready: Ready,
    /// Runs started and not ended.
    running: usize,
    /// Holds that are armed, ready or running.
    armed: usize,
    /// Window runs by their start.
    started: VecDeque<(Timestamp, Seq, TurnId)>,
    alone: Alone,
    /// The process's permit for alone runs is ours.
    permit: bool,
    /// Seqs of dead letters.
    dead: BTreeSet<Seq>,
    requests: VecDeque<Request>,
    last_request: u64,
    /// Requests carried out, to be struck off by the next commit.
    struck: Vec<u64>,
    /// Dead letters to be removed by the next commit.
    buried: Vec<Seq>,
    /// A seek is to be stored, by which every hold goes: nothing happens before that is confirmed.
    clear: bool,
    failures_in_row: u32,
    broken: bool,
    /// Since when one tenant has filled a full window.
    crowded: Option<(TurnId, Timestamp)>,
    /// Read wishes so far.
    wishes: u64,
    last_commit: Timestamp,
    flight: Option<Flight>,
    paused: bool,
    releasing: bool,
    released: bool,
    lost: bool,
}

impl<E: Clone> Lane<E> {
    /// No new hand-outs and reads, or again.
    pub(crate) fn pause(&mut self, paused: bool) {
        self.paused = paused;
    }

    /// No new hand-outs and reads; once nothing runs, the lane is given back by a last commit.
    pub(crate) fn release(&mut self) {
        self.releasing = true;
    }

    /// A revision's policy holds from now on.
    pub(crate) fn adopt(&mut self, policy: Policy) {
        self.policy = policy;
    }

    /// What is asked of the lane, oldest first, as the store has it now.
    pub(crate) fn requested(&mut self, requests: impl IntoIterator<Item = Request>) {
        for request in requests {
            if request.id > self.last_request {
                self.last_request = request.id;
                self.requests.push_back(request);
            }
        }
    }

    /// True if handlers may start and the log may be read.
    fn is_open(&self) -> bool {
        !(self.lost || self.is_taking() || self.paused || self.releasing || self.seeking())
            && !(self.clear && keeps(Rule::SeekIsStored))
    }

    fn streams(&self) -> impl Iterator<Item = &Stream<E>> {
        std::iter::once(&self.main).chain(self.turns.values())
    }

    /// The stream that a tenant's events are in.
    fn stream_of(&mut self, turn: TurnId) -> &mut Stream<E> {
        self.turns.get_mut(&turn).unwrap_or(&mut self.main)
    }

    /// Holds that wait, suspects or others, by when they are due.
    fn waiting(&mut self, suspect: bool) -> &mut BTreeSet<(Timestamp, KeyId)> {
        if suspect { &mut self.suspects } else { &mut self.waiting }
    }

    /// True once the lane is another's, or nobody's.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost
    }

    /// True while the commit that takes the lane is not confirmed.
    pub(crate) fn is_taking(&self) -> bool {
        self.taking.is_some()
    }

    /// True once the lane was given back.
    pub(crate) fn is_released(&self) -> bool {
        self.released
    }

    /// Runs started and not ended.
    pub(crate) fn running(&self) -> usize {
        self.running
    }

    /// The checkpoint as the newest commit, confirmed or under way, has it.
    pub(crate) fn stored(&self) -> &Checkpoint {
        &self.stored
    }

    /// How far the log was read.
    pub(crate) fn cursor(&self) -> Seq {
        self.main.cursor
    }

    /// Tenants that are held.
    pub(crate) fn held_turns(&self) -> impl Iterator<Item = TurnId> + '_ {
        self.turns.keys().copied()
    }

    /// True if something may start as far as the lane is concerned.
    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty() || self.alone == Alone::Ready
    }

    /// Some entry of a held tenant.
    pub(crate) fn body_of(&self, turn: TurnId) -> Option<&E> {
        self.turns.get(&turn).and_then(Stream::first_body)
    }

    /// True while the breaker is open.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }

    /// True while the lane has as many holds as it may.
    pub(crate) fn is_saturated(&self) -> bool {
        self.holds.len() >= self.limits.max_holds
    }

    /// True if nothing can happen before time passes or something comes from outside: everything read is settled
    /// and confirmed, or in a hold that waits for its time, an operator or a free breaker; or the lane is paused.
    pub(crate) fn is_idle(&self, now: Timestamp) -> bool {
        let resting = |hold: &Hold| match hold.phase {
            Phase::Waiting => hold.due > now || self.broken,
            Phase::Blocked | Phase::Spent => true,
            _ => false,
        };
        let still = self.flight.is_none() && !self.is_taking() && self.running == 0 && self.alone == Alone::None;
        let done = || self.streams().all(Stream::is_empty) && self.turns.is_empty() && self.holds.values().all(resting);
        still && self.dirty.is_empty() && (self.paused || done())
    }
}
