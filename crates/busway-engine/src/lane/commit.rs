use busway_core::{
    Checkpoint, DeadCause, Failure, HoldRecord, KeyId, OnDead, Segment, Seq, Timestamp, TurnId, Version,
};

use super::{
    Alone, Item, Lane,
    hold::{Hold, Phase},
    rule::{Rule, keeps},
    stream::Stream,
};

/// One atomic change of the lane, to be stored as it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Plan {
    pub(crate) expected: Version,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) holds: Vec<HoldRecord>,
    pub(crate) released: Vec<KeyId>,
    pub(crate) chunks: Vec<(KeyId, Vec<Seq>)>,
    /// Tenant holds written: whose, position, probation.
    pub(crate) turns: Vec<(TurnId, Seq, Seq)>,
    pub(crate) turns_removed: Vec<TurnId>,
    pub(crate) dead: Vec<DeadPlan>,
    pub(crate) buried: Vec<Seq>,
    pub(crate) requests: Vec<u64>,
    pub(crate) clear: bool,
}

/// A dead letter to be added.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct DeadPlan {
    pub(crate) seq: Seq,
    pub(crate) key: KeyId,
    pub(crate) attempts: u32,
    pub(crate) cause: DeadCause,
    pub(crate) failures: Vec<Failure>,
}

/// What the commit under way will have done once it is confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Flight {
    position: Seq,
    /// The positions of the held tenants.
    turns: Vec<(TurnId, Seq)>,
    armed: Vec<KeyId>,
    released: bool,
}

impl Flight {
    fn position_of(&self, turn: TurnId) -> Seq {
        self.turns.iter().find(|(of, _)| *of == turn).map_or(self.position, |(_, position)| *position)
    }
}

impl<E: Clone> Lane<E> {
    /// The next commit, if one is due; one at a time. `token` is random and tells this commit from others.
    pub(crate) fn poll_commit(&mut self, now: Timestamp, token: u64) -> Option<Plan> {
        if self.flight.is_some() || self.lost || self.released {
            return None;
        }
        let handed = self.stored.handed;
        if !self.is_open() {
            self.take_back_runs();
        }
        self.carry_out(now);
        let silent = self.running == 0 || !keeps(Rule::RunsAreAwaited);
        let released = self.releasing && self.taking.is_none() && silent;
        if released && keeps(Rule::GapsAreHeld) {
            self.hold_gaps();
        }
        let mut flight = Flight {
            position: self.main.passable(),
            turns: self.turns.iter().map(|(turn, stream)| (*turn, stream.passable())).collect(),
            armed: Vec::new(),
            released,
        };
        // Not those that die now: their keys go on once the dead letters are stored.
        let mut spent = self.past_what_they_settled(&flight);
        let dead = self.die();
        if !keeps(Rule::LetterFirst) {
            spent = self.past_what_they_settled(&flight);
        }
        self.go_alone(now);
        self.arm(now);
        let hands = self.alone == Alone::Handing || handed != self.stored.handed;
        let lazy = self.is_behind() && now.as_millis() - self.last_commit.as_millis() >= self.limits.lazy_ms;
        if !hands && !lazy && spent.is_empty() && !self.is_urgent(&flight) {
            return None;
        }

        let (turns, turns_removed) = self.plan_turns(&mut flight);
        let released = self.free(spent);
        let chunks = self.plan_chunks(&flight);
        let holds = self.plan_holds(&mut flight);
        let expected = self.taking.unwrap_or(self.stored.version);
        let checkpoint = &mut self.stored;
        checkpoint.position = flight.position;
        checkpoint.written_by = token;
        checkpoint.probation = self.main.probation(flight.position);
        checkpoint.released = flight.released;
        let least = flight.turns.iter().map(|(_, position)| *position).fold(flight.position, Seq::min);
        forget_segments(&mut checkpoint.segments, least);
        if self.taking.is_none() {
            checkpoint.version = checkpoint.version.next();
        }
        self.last_commit = now;
        self.flight = Some(flight);
        Some(Plan {
            expected,
            checkpoint: self.stored.clone(),
            holds,
            released,
            chunks,
            turns,
            turns_removed,
            dead,
            buried: std::mem::take(&mut self.buried),
            requests: std::mem::take(&mut self.struck),
            clear: self.clear,
        })
    }

    /// True if a commit must not wait for more to gather.
    fn is_urgent(&self, flight: &Flight) -> bool {
        self.taking.is_some()
            || flight.released
            || self.clear
            || !(self.dirty.is_empty() && self.struck.is_empty() && self.buried.is_empty())
            || self.streams().any(Stream::front_passable)
            || self.caught_up(flight).next().is_some()
    }

    /// True if a position has moved that is not stored.
    pub(super) fn is_behind(&self) -> bool {
        let behind = |stream: &Stream<E>| stream.stored.is_none_or(|(position, _)| position < stream.passable());
        self.stored.position < self.main.passable() || self.turns.values().any(behind)
    }

    /// Deliveries that are dead get their dead letters; the key goes on, or is blocked.
    fn die(&mut self) -> Vec<DeadPlan> {
        let dying = |key: &KeyId| match self.holds.get(key).map(|hold| hold.phase) {
            Some(Phase::Dying(cause)) => Some((*key, cause)),
            _ => None,
        };
        let dying: Vec<_> = self.dirty.iter().filter_map(dying).collect();
        let mut dead = Vec::with_capacity(dying.len());
        for (key, cause) in dying {
            let Some(mut hold) = self.take_hold(key) else { continue };
            let seq = hold.target();
            dead.push(DeadPlan { seq, key, attempts: hold.attempt, cause, failures: hold.failures.clone() });
            self.dead.insert(seq);
            if self.policy.on_dead == OnDead::Block && hold.again.is_none() {
                hold.phase = Phase::Blocked;
                hold.letter = true;
            } else {
                hold.finish();
            }
            self.put_hold(hold);
        }
        dead
    }

    /// Holds that are due begin their runs, which start once that is stored.
    fn arm(&mut self, now: Timestamp) {
        let most = if self.broken { 1 } else { self.limits.armed };
        while self.is_open() && self.armed < most && self.alone == Alone::None && !self.wary(now) {
            let Some((_, key)) = self.waiting.first().filter(|(due, _)| *due <= now) else { return };
            self.begin(*key);
        }
    }

    pub(super) fn begin(&mut self, key: KeyId) {
        if let Some(mut hold) = self.take_hold(key) {
            hold.begin();
            self.put_hold(hold);
        }
    }

    /// What has not started becomes a hold where later events are settled, so that nothing is repeated by whoever
    /// gets the lane next.
    fn hold_gaps(&mut self) {
        let gaps: Vec<Item> = self.streams().flat_map(Stream::gaps).collect();
        for item in gaps {
            if !self.holds.contains(&item.key) {
                let mut hold = Hold::resting(item.key, item.turn, item.seq - 1);
                hold.observe(item.seq);
                self.hold_from(item.seq, hold);
            }
        }
    }

    /// Runs that were begun and have not started are taken back.
    fn take_back_runs(&mut self) {
        for key in self.ready.take_holds() {
            self.take_back(key, false);
        }
        self.take_back_alone();
    }

    pub(super) fn take_back(&mut self, key: KeyId, suspect: bool) {
        let is_ready = |hold: &Hold| hold.phase == Phase::Ready;
        if !self.holds.get(&key).is_some_and(is_ready) {
            return;
        }
        if let Some(mut hold) = self.take_hold(key) {
            hold.take_back(suspect);
            self.put_hold(hold);
        }
    }

    /// What the position passes of held keys is remembered with their holds.
    fn plan_chunks(&mut self, flight: &Flight) -> Vec<(KeyId, Vec<Seq>)> {
        let mut chunks = Vec::new();
        for key in std::mem::take(&mut self.growing) {
            let Some(hold) = self.holds.get_mut(&key) else { continue };
            let seqs = hold.unstored(flight.position_of(hold.turn));
            if hold.is_growing() {
                self.growing.insert(key);
            }
            if !seqs.is_empty() {
                if !hold.stored {
                    self.dirty.insert(key);
                }
                chunks.push((key, seqs));
            }
        }
        chunks
    }

    fn plan_holds(&mut self, flight: &mut Flight) -> Vec<HoldRecord> {
        let mut records = Vec::with_capacity(self.dirty.len());
        for key in std::mem::take(&mut self.dirty) {
            let Some(hold) = self.holds.get_mut(&key) else { continue };
            hold.stored = true;
            if hold.phase == Phase::Arming {
                flight.armed.push(key);
            }
            records.push(hold.to_record());
        }
        records
    }

    /// Holds with nothing left that the position will be past.
    fn past_what_they_settled(&self, flight: &Flight) -> Vec<KeyId> {
        let most = flight.turns.iter().map(|(_, position)| *position).fold(flight.position, Seq::max);
        let near = self
            .spent
            .iter()
            .take_while(|(done, _)| *done <= most || !keeps(Rule::HoldWaitsForPosition))
            .map(|(_, key)| key);
        let past = |key: &&KeyId| {
            self.holds
                .get(key)
                .is_some_and(|hold| hold.done <= flight.position_of(hold.turn) || !keeps(Rule::HoldWaitsForPosition))
        };
        near.filter(past).copied().collect()
    }

    /// Holds go; returns those that are stored.
    fn free(&mut self, mut keys: Vec<KeyId>) -> Vec<KeyId> {
        keys.retain(|key| {
            self.dirty.remove(key);
            self.take_hold(*key).is_some_and(|hold| hold.stored)
        });
        keys
    }

    /// Held tenants that have caught up with the lane.
    fn caught_up(&self, flight: &Flight) -> impl Iterator<Item = TurnId> {
        let end = self.main.cursor;
        let settled = |turn: &TurnId| self.turns.get(turn).is_some_and(Stream::is_empty);
        let caught_up =
            move |(turn, position): &&(TurnId, Seq)| *position == end && flight.position == end && settled(turn);
        flight.turns.iter().filter(caught_up).map(|(turn, _)| *turn)
    }

    /// Where the held tenants stand; those that have caught up are held no more.
    fn plan_turns(&mut self, flight: &mut Flight) -> (Vec<(TurnId, Seq, Seq)>, Vec<TurnId>) {
        let removed: Vec<TurnId> = self.caught_up(flight).collect();
        for turn in &removed {
            self.turns.remove(turn);
            // The read under way leaves this tenant out.
            self.main.reading = None;
        }
        flight.turns.retain(|(turn, _)| !removed.contains(turn));
        let mut written = Vec::new();
        for (turn, position) in &flight.turns {
            let Some(stream) = self.turns.get_mut(turn) else { continue };
            let record = (*position, stream.probation(*position));
            if stream.stored.replace(record) != Some(record) {
                written.push((*turn, record.0, record.1));
            }
        }
        (written, removed)
    }

    /// The commit under way is stored.
    pub(crate) fn confirm(&mut self) {
        let Some(flight) = self.flight.take() else { return };
        self.taking = None;
        self.clear = false;
        self.main.confirm(flight.position);
        for (turn, position) in flight.turns {
            if let Some(stream) = self.turns.get_mut(&turn) {
                stream.confirm(position);
            }
        }
        match self.alone {
            Alone::Handing => self.alone = Alone::Ready,
            Alone::Clearing if self.stored.handed.is_none() => self.alone = Alone::None,
            _ => {}
        }
        let alone = self.handed().filter(|_| self.alone == Alone::Ready).map(|(_, key, _)| key);
        for key in flight.armed {
            let Some(hold) = self.holds.get_mut(&key) else { continue };
            hold.phase = Phase::Ready;
            if alone != Some(key) {
                self.ready.push_hold(key);
            }
        }
        self.released = flight.released;
    }

    /// The commit under way was refused: the lane is another's. Its handlers are to be cancelled.
    pub(crate) fn fenced(&mut self) {
        self.flight = None;
        self.lost = true;
    }
}

/// Forgets revisions that decide about nothing that is still to be read.
fn forget_segments(segments: &mut Vec<Segment>, position: Seq) {
    let keep = segments.iter().rposition(|segment| segment.from <= position + 1).unwrap_or(0);
    segments.drain(..keep);
}
