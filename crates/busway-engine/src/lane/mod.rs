//! The rules of a lane: what one subscription does with one lane of the log, as a pure state machine.
//!
//! A [`Lane`] is fed with what happened ([`Lane::read`], [`Lane::outcome`], [`Lane::confirm`], …) and asked
//! what to do next ([`Lane::next_run`], [`Lane::poll_commit`], [`Lane::poll_read`]). It has no I/O, no clock
//! and no locks: time is an argument. So the model checker and the simulation explore the code that runs.
//!
//! The words: the *window* is what was read and is not yet behind the stored position; a *hold* is one key
//! that waits while the position moves on; *alone* means that nothing else of the lane runs and that the
//! event was stored as `handed` first, so that a process it kills can be charged with it.

mod commit;
mod hold;
mod keymap;
pub(crate) mod pull;
mod ready;
mod request;
mod settle;
mod stream;
mod take;
mod turns;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use busway_core::{Checkpoint, DeadCause, KeyId, MemberId, OnDead, Request, Seq, Timestamp, TurnId};

pub(crate) use commit::{DeadPlan, Plan};
use hold::{Hold, Phase};
use keymap::KeyMap;
use ready::Ready;
use stream::{Chain, SlotState, Stream};

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
    /// It is a dead letter's: run its edited payload, if it has one.
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

/// The run that is alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Alone {
    None,
    /// Its `handed` is being stored.
    Handing { seq: Seq, key: KeyId, turn: TurnId },
    /// It may start.
    Ready { seq: Seq, key: KeyId, turn: TurnId },
    Running { seq: Seq },
    /// It has ended, and the store still names it.
    Clearing,
}

/// What the commit under way will have done once it is confirmed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Flight {
    position: Seq,
    turns: Vec<(TurnId, Seq)>,
    armed: Vec<KeyId>,
    released: bool,
}

/// One lane of one subscription in the hands of its holder.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Lane<E> {
    limits: Limits,
    policy: Policy,
    /// The checkpoint as the newest commit, confirmed or under way, has it.
    stored: Checkpoint,
    /// The lane is being taken: nothing happens before that commit is confirmed.
    taking: bool,
    /// The `n` of the version it is taken from.
    taken_from: u64,
    main: Stream<E>,
    turns: BTreeMap<TurnId, Stream<E>>,
    /// Keys with unsettled events in the window.
    chains: KeyMap<Chain>,
    holds: KeyMap<Hold>,
    /// Holds that wait, by when they are due.
    waiting: BTreeSet<(Timestamp, KeyId)>,
    suspects: BTreeSet<KeyId>,
    /// Holds with nothing left, until the position is past what they settled.
    spent: BTreeSet<KeyId>,
    /// Holds with seqs that are not yet stored.
    growing: BTreeSet<KeyId>,
    /// Holds to be written.
    dirty: BTreeSet<KeyId>,
    /// Keys whose hold's removal is under way: what is read of them starts once it is confirmed.
    freeing: BTreeSet<KeyId>,
    freeing_turns: BTreeSet<TurnId>,
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
    /// The next commit forgets every hold: a seek.
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
    /// What was read by a wish: the entries and how far was looked. Ignored if the wish is out of date.
    pub(crate) fn read(&mut self, wish: ReadWish, entries: impl IntoIterator<Item = (Item, E)>, looked: Seq) {
        if self.stream(wish.turn).is_none_or(|stream| stream.reading != Some(wish.id)) {
            return;
        }
        let mut count = 0;
        for (item, body) in entries {
            count += 1;
            self.offer(wish.turn, item, body);
        }
        if let Some(stream) = self.stream_mut(wish.turn) {
            stream.looked_at(looked);
        }
        if wish.turn.is_none() && count < wish.max {
            self.crowded = None;
        }
    }

    /// One entry that was read: queued, or left to its hold.
    fn offer(&mut self, of: Option<TurnId>, item: Item, body: E) {
        let held_turn = of.is_none() && self.turns.contains_key(&item.turn);
        let held_key = match self.holds.get_mut(&item.key) {
            Some(_) if held_turn => true,
            Some(hold) => {
                if hold.observe(item.seq) {
                    self.growing.insert(item.key);
                    self.spent.remove(&item.key);
                    if matches!(hold.phase, Phase::Spent) {
                        hold.phase = Phase::Waiting;
                        self.waiting.insert((hold.due, item.key));
                    }
                }
                true
            }
            None => held_turn,
        };
        let Some(stream) = (match of {
            None => Some(&mut self.main),
            Some(turn) => self.turns.get_mut(&turn),
        }) else {
            return;
        };
        let state = if held_key { SlotState::Held } else { SlotState::Queued };
        let n = stream.push(item, body, state);
        if state == SlotState::Queued {
            self.link(item, n);
        }
    }

    /// Puts a queued slot behind the earlier ones of its key; the first is ready.
    fn link(&mut self, item: Item, n: u64) {
        let first = item.key.is_solo() || {
            let stream = stream_of(&mut self.main, &mut self.turns, item.turn);
            match self.chains.get_mut(&item.key) {
                Some(chain) => {
                    stream.slot_mut(chain.tail).next = Some(n);
                    chain.tail = n;
                    false
                }
                None => {
                    self.chains.insert(item.key, Chain { front: n, tail: n });
                    true
                }
            }
        };
        if first && !self.freeing.contains(&item.key) && !self.freeing_turns.contains(&item.turn) {
            self.make_ready(item.turn, n);
        }
    }

    fn make_ready(&mut self, turn: TurnId, n: u64) {
        let slot = stream_of(&mut self.main, &mut self.turns, turn).slot_mut(n);
        slot.state = SlotState::Ready;
        if !slot.careful {
            self.ready.push_slot(turn, n);
        }
    }

    /// The next handler to start, if one may start now.
    pub(crate) fn next_run(&mut self, now: Timestamp) -> Option<Run<E>> {
        if self.lost || self.taking || self.paused || self.releasing || self.seeking() {
            return None;
        }
        if let Alone::Ready { seq, key, turn } = self.alone {
            self.alone = Alone::Running { seq };
            self.running += 1;
            return Some(self.start(seq, key, turn, true));
        }
        if self.alone != Alone::None || self.wary() {
            return None;
        }
        if self.broken && self.running > 0 {
            return None;
        }
        let probing_holds = self.broken && (self.armed > 0 || !self.waiting.is_empty());
        loop {
            match self.ready.pop(probing_holds)? {
                ready::Next::Hold(key) => {
                    let Some(hold) = self.holds.get_mut(&key) else { continue };
                    if hold.phase != Phase::Ready {
                        continue;
                    }
                    let (seq, turn) = (hold.target(), hold.turn);
                    self.running += 1;
                    return Some(self.start(seq, key, turn, false));
                }
                ready::Next::Slot(turn, n) => {
                    let stream = stream_of(&mut self.main, &mut self.turns, turn);
                    let Some(slot) = stream.get_mut(n).filter(|slot| slot.state == SlotState::Ready) else { continue };
                    slot.state = SlotState::Running;
                    let item = slot.item;
                    self.running += 1;
                    self.started.push_back((now, item.seq, item.turn));
                    return Some(self.start(item.seq, item.key, item.turn, false));
                }
            }
        }
    }

    fn start(&mut self, seq: Seq, key: KeyId, turn: TurnId, alone: bool) -> Run<E> {
        if let Some(hold) = self.holds.get_mut(&key) {
            if matches!(hold.phase, Phase::Ready) && hold.target() == seq {
                hold.phase = Phase::Running;
                return Run { seq, key, turn, attempt: hold.attempt, alone, again: hold.again == Some(seq) || hold.letter, body: None };
            }
        }
        let stream = stream_of(&mut self.main, &mut self.turns, turn);
        let body = stream.find_mut(seq).map(|slot| {
            slot.state = SlotState::Running;
            slot.body.clone()
        });
        Run { seq, key, turn, attempt: 1, alone, again: false, body }
    }

    /// The next read that is wanted; one at a time per stream.
    pub(crate) fn poll_read(&mut self) -> Option<ReadWish> {
        if self.lost || self.taking || self.releasing || self.paused || self.seeking() {
            return None;
        }
        let full = self.is_saturated() || self.broken;
        let wish = self.wish(None, BEYOND, full).or_else(|| {
            let end = self.main.cursor;
            self.turns.keys().find_map(|turn| self.wish(Some(*turn), end, full))
        })?;
        self.wishes += 1;
        let wish = ReadWish { id: self.wishes, ..wish };
        if let Some(stream) = self.stream_mut(wish.turn) {
            stream.reading = Some(wish.id);
        }
        Some(wish)
    }

    /// A read of this stream up to `end`; if the lane takes nothing more, only up to what its holds need.
    fn wish(&self, turn: Option<TurnId>, end: Seq, full: bool) -> Option<ReadWish> {
        let stream = self.stream(turn)?;
        let until = if full { stream.needed.min(end) } else { end };
        if stream.reading.is_some() || stream.cursor >= until {
            return None;
        }
        let (max, max_bytes) = self.room(turn)?;
        Some(ReadWish { turn, after: stream.cursor, until, max, max_bytes, id: 0 })
    }

    /// A read could not be made; it is wished again.
    pub(crate) fn read_failed(&mut self, wish: ReadWish) {
        if let Some(stream) = self.stream_mut(wish.turn).filter(|stream| stream.reading == Some(wish.id)) {
            stream.reading = None;
        }
    }

    /// Entries and bytes that a stream may still take, if that is worth a read.
    fn room(&self, turn: Option<TurnId>) -> Option<(usize, usize)> {
        let share = self.share(turn);
        let stream = self.stream(turn)?;
        let free = share.saturating_sub(stream.len());
        let bytes = self.limits.window_bytes.saturating_sub(self.bytes());
        let worth = free >= (share / 4).max(1) || stream.is_empty();
        (free > 0 && bytes > 0 && worth).then_some((free, bytes))
    }

    fn bytes(&self) -> usize {
        self.main.bytes + self.turns.values().map(|stream| stream.bytes).sum::<usize>()
    }

    /// True while everything runs alone.
    pub(crate) fn wary(&self) -> bool {
        !self.suspects.is_empty() || self.main.wary() || self.turns.values().any(Stream::wary)
    }

    fn stream(&self, turn: Option<TurnId>) -> Option<&Stream<E>> {
        match turn {
            None => Some(&self.main),
            Some(turn) => self.turns.get(&turn),
        }
    }

    fn stream_mut(&mut self, turn: Option<TurnId>) -> Option<&mut Stream<E>> {
        match turn {
            None => Some(&mut self.main),
            Some(turn) => self.turns.get_mut(&turn),
        }
    }

    /// Time passed: slow runs become holds, and so does what stands in the way of a full window.
    pub(crate) fn tick(&mut self, now: Timestamp) {
        let slow = now.as_millis() - self.limits.slow_ms;
        while let Some(&(since, seq, turn)) = self.started.front() {
            if since.as_millis() > slow {
                break;
            }
            self.started.pop_front();
            self.hold_running(turn, seq);
        }
        if self.blocked_by_front() {
            let item = self.main.front_running();
            if let Some(item) = item {
                self.hold_running(item.turn, item.seq);
            }
        }
        self.watch_crowd(now);
    }

    /// The window is full, nothing in it can start, and its first event still runs.
    fn blocked_by_front(&self) -> bool {
        self.main.len() >= self.share(None) && self.ready.is_empty() && self.main.front_running().is_some()
    }

    /// When [`Self::tick`] or [`Self::poll_commit`] has something to do next, if nothing else happens. What is
    /// overdue waits for something else.
    pub(crate) fn deadline(&self, now: Timestamp) -> Option<Timestamp> {
        let after = |millis: i64, since: Timestamp| Timestamp::from_millis(since.as_millis() + millis);
        let due = self.waiting.first().filter(|_| self.may_arm()).map(|(due, _)| *due);
        let slow = self.started.front().map(|(since, ..)| after(self.limits.slow_ms, *since));
        let lazy = (self.main.position < self.main.passable()).then(|| after(self.limits.lazy_ms, self.last_commit));
        let crowd = self.crowded.map(|(_, since)| after(self.limits.crowd_ms, since));
        [due, slow, lazy, crowd].into_iter().flatten().filter(|due| *due > now).min()
    }

    fn may_arm(&self) -> bool {
        let bound = if self.broken { 1 } else { self.limits.armed };
        !self.paused && !self.releasing && !self.taking && !self.seeking() && self.armed < bound
    }

    /// True if an alone run could start and only the permit is missing.
    pub(crate) fn wants_permit(&self, now: Timestamp) -> bool {
        !self.permit && self.may_go_alone() && self.alone_candidate(now).is_some()
    }

    /// The process's permit is this lane's until [`Self::returns_permit`].
    pub(crate) fn grant(&mut self) {
        self.permit = true;
    }

    /// True once if the permit is not needed any more.
    pub(crate) fn returns_permit(&mut self, now: Timestamp) -> bool {
        let idle = self.alone == Alone::None && !(self.may_go_alone() && self.alone_candidate(now).is_some());
        let returned = self.permit && self.flight.is_none() && (self.lost || idle);
        if returned {
            self.permit = false;
        }
        returned
    }

    fn may_go_alone(&self) -> bool {
        !self.lost && !self.taking && !self.paused && !self.releasing && !self.seeking() && self.wary() && self.running == 0
            && matches!(self.alone, Alone::None | Alone::Clearing)
    }

    /// What runs alone next: the lowest seq among suspect holds, careful events and, while careful, due holds.
    fn alone_candidate(&self, now: Timestamp) -> Option<(Seq, KeyId, TurnId)> {
        let suspects = self.suspects.iter().filter_map(|key| self.holds.get(key).map(|hold| (hold.target(), *key, hold.turn)));
        let due = self.waiting.iter().take_while(|(due, _)| *due <= now);
        let due = due.filter_map(|(_, key)| self.holds.get(key).map(|hold| (hold.target(), *key, hold.turn)));
        let slots = std::iter::once(&self.main).chain(self.turns.values()).filter_map(Stream::first_careful);
        suspects.chain(due).chain(slots.map(|item| (item.seq, item.key, item.turn))).min()
    }

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
            if !self.struck.contains(&request.id) && self.requests.iter().all(|known| known.id < request.id)
                && request.id > self.last_request
            {
                self.last_request = request.id;
                self.requests.push_back(request);
            }
        }
    }

    /// True once the lane is another's, or nobody's.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost
    }

    /// True while the commit that takes the lane is not confirmed.
    pub(crate) fn is_taking(&self) -> bool {
        self.taking
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
        !self.ready.is_empty() || matches!(self.alone, Alone::Ready { .. })
    }

    /// Some entry of a held tenant.
    pub(crate) fn body_of(&self, turn: TurnId) -> Option<&E> {
        self.turns.get(&turn).and_then(Stream::first_body)
    }

    /// How many keys are held.
    pub(crate) fn held(&self) -> usize {
        self.holds.len()
    }

    /// True while the breaker is open.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }

    /// True while the lane has as many holds as it may.
    pub(crate) fn is_saturated(&self) -> bool {
        self.holds.len() >= self.limits.max_holds
    }

    /// True if everything read is settled and confirmed, or in a hold that waits for its time, an operator or
    /// a free breaker.
    pub(crate) fn is_idle(&self, now: Timestamp) -> bool {
        let resting = |hold: &Hold| match hold.phase {
            Phase::Waiting => hold.due > now || self.broken,
            Phase::Blocked | Phase::Spent => true,
            _ => false,
        };
        self.flight.is_none() && !self.taking && self.running == 0 && self.alone == Alone::None
            && self.requests.is_empty()
            && self.main.is_empty() && self.turns.is_empty()
            && self.dirty.is_empty() && self.suspects.is_empty()
            && self.holds.values().all(resting)
    }

    /// Whose the lane is.
    pub(crate) fn holder(&self) -> Option<MemberId> {
        self.stored.holder
    }
}

/// The stream that a tenant's events are in.
fn stream_of<'a, E>(main: &'a mut Stream<E>, turns: &'a mut BTreeMap<TurnId, Stream<E>>, turn: TurnId) -> &'a mut Stream<E> {
    match turns.get_mut(&turn) {
        Some(stream) => stream,
        None => main,
    }
}
