use busway_core::{KeyId, Request, RequestKind, Segment, Seq, Timestamp, TurnId};

use super::{
    Alone, Lane,
    hold::{Hold, Phase},
    ready::Ready,
    stream::{SlotState, Stream},
    stream_of,
};

impl<E: Clone> Lane<E> {
    /// Carries out what is asked and possible now; the rest stays in line.
    pub(super) fn carry_out(&mut self, now: Timestamp) {
        if self.taking {
            return;
        }
        for request in std::mem::take(&mut self.requests) {
            if self.try_request(&request, now) {
                self.struck.push(request.id);
            } else {
                self.requests.push_back(request);
            }
        }
    }

    /// True while a request waits for the lane to fall silent.
    pub(super) fn seeking(&self) -> bool {
        self.requests.iter().any(|request| matches!(request.kind, RequestKind::Seek { .. }))
    }

    fn try_request(&mut self, request: &Request, now: Timestamp) -> bool {
        match request.kind {
            RequestKind::Retry { seq, key, turn } => self.retry_dead(seq, KeyId(key), TurnId(turn), now),
            RequestKind::Discard { seq, key } => self.discard_dead(seq, KeyId(key)),
            RequestKind::Seek { to } => self.seek(to),
            RequestKind::Redefine { revision, end } => {
                self.redefine(revision, end);
                true
            }
        }
    }

    /// Runs a dead letter again. A key that waits for its own next try comes first.
    fn retry_dead(&mut self, seq: Seq, key: KeyId, turn: TurnId, now: Timestamp) -> bool {
        if !self.dead.contains(&seq) {
            return true;
        }
        if let Some(hold) = self.holds.get(&key) {
            let blocked = hold.phase == Phase::Blocked && hold.head == Some(seq);
            let free = matches!(hold.phase, Phase::Waiting | Phase::Spent) && hold.again.is_none() && hold.attempt == 0;
            if !blocked && !free {
                return hold.again == Some(seq) || (hold.letter && hold.head == Some(seq) && hold.phase != Phase::Blocked);
            }
            let Some(mut hold) = self.take_hold(key) else { return true };
            if !blocked {
                hold.again = Some(seq);
            }
            hold.attempt = 0;
            hold.failures.clear();
            hold.due = now;
            hold.phase = Phase::Waiting;
            self.put_hold(hold);
            return true;
        }
        if self.freeing.contains(&key) || self.freeing_turns.contains(&turn) {
            return false;
        }
        let chain = self.chains.get(&key).copied();
        let stream = stream_of(&mut self.main, &mut self.turns, turn);
        if let Some(chain) = chain {
            let slot = stream.slot_mut(chain.front);
            if slot.state == SlotState::Running || matches!(self.alone, Alone::Handing { key: alone, .. } | Alone::Ready { key: alone, .. } if alone == key) {
                return false;
            }
            let first = slot.item.seq;
            let mut hold = Hold::of(key, turn, first, Phase::Waiting);
            hold.head = None;
            hold.attempt = 0;
            hold.again = Some(seq);
            hold.due = now;
            hold.observe(first);
            self.hold_from(chain.front, hold);
            return true;
        }
        let mut hold = Hold::of(key, turn, seq, Phase::Waiting);
        hold.done = if key.is_solo() { seq } else { stream.cursor };
        hold.head = None;
        hold.attempt = 0;
        hold.again = Some(seq);
        hold.due = now;
        self.put_hold(hold);
        true
    }

    /// Removes a dead letter; a key that it blocks goes on.
    fn discard_dead(&mut self, seq: Seq, key: KeyId) -> bool {
        if !self.dead.contains(&seq) {
            return true;
        }
        let concerned = self.holds.get(&key).is_some_and(|hold| hold.again == Some(seq) || hold.head == Some(seq));
        if concerned {
            let busy = self.holds.get(&key).is_some_and(|hold| !matches!(hold.phase, Phase::Waiting | Phase::Blocked));
            if busy {
                return false;
            }
            let Some(mut hold) = self.take_hold(key) else { return true };
            if hold.again.is_none() {
                hold.letter = false;
            }
            hold.finish();
            self.put_hold(hold);
        }
        self.dead.remove(&seq);
        self.buried.push(seq);
        true
    }

    /// Another place to go on from, once nothing runs.
    fn seek(&mut self, to: Seq) -> bool {
        if self.running > 0 || self.alone != Alone::None {
            return false;
        }
        self.main = Stream::new(to);
        self.turns.clear();
        self.chains.clear();
        self.holds.clear();
        self.waiting.clear();
        self.suspects.clear();
        self.spent.clear();
        self.growing.clear();
        self.dirty.clear();
        self.freeing.clear();
        self.freeing_turns.clear();
        self.started.clear();
        self.ready = Ready::default();
        self.armed = 0;
        self.crowded = None;
        self.clear = true;
        let revision = self.stored.segments.last().map_or(1, |segment| segment.revision);
        self.stored.segments = vec![Segment { from: 0, revision }];
        true
    }

    /// Another definition: it decides from behind all that was read or is in a hold, and not before the log's
    /// end as it was when it was asked.
    fn redefine(&mut self, revision: u64, end: Seq) {
        if self.stored.segments.last().is_some_and(|segment| segment.revision >= revision) {
            return;
        }
        let held = self.main.needed.max(self.turns.values().map(|stream| stream.needed).max().unwrap_or(0));
        let cut = end.max(self.main.cursor).max(held).max(self.stored.position);
        self.stored.segments.push(Segment { from: cut + 1, revision });
        self.main.reading = None;
    }
}
