use busway_core::{
    Checkpoint, DeadCause, Failure, Handed, HoldRecord, KeyId, OnDead, Segment, Seq, Timestamp, TurnId, Version,
};

use super::{Alone, Flight, Lane, hold::Phase};

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

impl<E: Clone> Lane<E> {
    /// The next commit, if one is due; one at a time. `token` is random and tells this commit from others.
    pub(crate) fn poll_commit(&mut self, now: Timestamp, token: u64) -> Option<Plan> {
        if self.flight.is_some() || self.lost || self.released {
            return None;
        }
        let expected = if self.taking {
            Version { fence: self.stored.version.fence - 1, n: self.taken_from }
        } else {
            self.stored.version
        };
        self.carry_out(now);
        let dead = self.die();
        let handed = self.stored.handed;
        self.go_alone(now);
        self.arm(now);
        let released = self.releasing && self.running == 0 && !self.taking;
        if released {
            self.disarm(now);
        }

        let position = self.main.passable();
        let mut flight = Flight { position, released, ..Flight::default() };
        let (turns, turns_removed) = self.plan_turns(position, &mut flight);
        let freed = self.free_spent(&flight);
        let chunks = self.plan_chunks(&flight);
        let holds = self.plan_holds(&mut flight);

        let urgent = self.taking
            || released
            || self.clear
            || handed != self.stored.handed
            || self.alone == Alone::Clearing && handed.is_some()
            || self.main.front_passable()
            || self.turns.values().any(|stream| stream.front_passable())
            || !(dead.is_empty() && holds.is_empty() && freed.is_empty() && chunks.is_empty())
            || !(turns_removed.is_empty() && self.struck.is_empty() && self.buried.is_empty());
        let lazy = position > self.stored.position
            && now.as_millis() - self.last_commit.as_millis() >= self.limits.lazy_ms;
        if !urgent && !lazy {
            return None;
        }

        if self.main.probation <= position {
            self.main.probation = 0;
        }
        let checkpoint = &mut self.stored;
        checkpoint.position = position;
        checkpoint.written_by = token;
        checkpoint.probation = self.main.probation;
        checkpoint.released = released;
        forget_segments(&mut checkpoint.segments, position, self.turns.values().map(|stream| stream.position).min());
        if !self.taking {
            checkpoint.version = checkpoint.version.next();
        }
        self.last_commit = now;
        self.flight = Some(flight);
        Some(Plan {
            expected,
            checkpoint: self.stored.clone(),
            holds,
            released: freed,
            chunks,
            turns,
            turns_removed,
            dead,
            buried: std::mem::take(&mut self.buried),
            requests: std::mem::take(&mut self.struck),
            clear: std::mem::take(&mut self.clear),
        })
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

    /// Names the event that runs alone next, or clears the one that did.
    fn go_alone(&mut self, now: Timestamp) {
        if self.alone == Alone::Clearing {
            self.stored.handed = None;
        }
        if !self.permit || !self.may_go_alone() {
            return;
        }
        let Some((seq, key, turn)) = self.alone_candidate(now) else { return };
        if let Some(mut hold) = self.take_hold(key) {
            hold.begin();
            hold.phase = Phase::Arming;
            self.armed += 1;
            self.put_hold(hold);
        }
        self.stored.handed = Some(Handed { seq, key: key.0, turn: turn.0 });
        self.alone = Alone::Handing { seq, key, turn };
    }

    /// Holds that are due begin their runs, which start once that is stored.
    fn arm(&mut self, now: Timestamp) {
        while self.may_arm() && self.alone == Alone::None && !self.wary() {
            let Some(&(due, key)) = self.waiting.first() else { return };
            if due > now {
                return;
            }
            let Some(mut hold) = self.take_hold(key) else { return };
            hold.begin();
            hold.phase = Phase::Arming;
            self.armed += 1;
            self.put_hold(hold);
        }
    }

    /// Runs that were begun and never started are taken back.
    fn disarm(&mut self, now: Timestamp) {
        for key in self.holds.keys_sorted() {
            if !self.holds.get(&key).is_some_and(|hold| hold.phase == Phase::Ready) {
                continue;
            }
            if let Some(mut hold) = self.take_hold(key) {
                hold.attempt = hold.attempt.saturating_sub(1);
                hold.due = now;
                hold.phase = Phase::Waiting;
                self.put_hold(hold);
            }
        }
        self.alone = Alone::None;
        self.stored.handed = None;
    }

    /// Where the held tenants stand; those that have caught up are held no more.
    fn plan_turns(&mut self, position: Seq, flight: &mut Flight) -> (Vec<(TurnId, Seq, Seq)>, Vec<TurnId>) {
        let (mut written, mut removed) = (Vec::new(), Vec::new());
        for (turn, stream) in &mut self.turns {
            let own = stream.passable();
            let caught_up = own == stream.cursor && own >= self.main.cursor && position >= own;
            if caught_up {
                removed.push(*turn);
                continue;
            }
            if stream.probation <= own {
                stream.probation = 0;
            }
            flight.turns.push((*turn, own));
            if !stream.stored || own > stream.planned {
                stream.stored = true;
                stream.planned = own;
                written.push((*turn, own, stream.probation));
            }
        }
        for turn in &removed {
            self.turns.remove(turn);
            self.freeing_turns.insert(*turn);
            // The read under way leaves this tenant out.
            self.main.reading = None;
        }
        (written, removed)
    }

    fn planned(&self, flight: &Flight, turn: TurnId) -> Seq {
        flight.turns.iter().find(|(of, _)| *of == turn).map_or(flight.position, |(_, position)| *position)
    }

    /// Holds with nothing left go once the position is past what they settled.
    fn free_spent(&mut self, flight: &Flight) -> Vec<KeyId> {
        let past = |key: &&KeyId| self.holds.get(key).is_some_and(|hold| self.planned(flight, hold.turn) >= hold.done);
        let freed: Vec<KeyId> = self.spent.iter().filter(past).copied().collect();
        let mut released = Vec::new();
        for key in freed {
            self.dirty.remove(&key);
            self.growing.remove(&key);
            if let Some(hold) = self.take_hold(key) {
                if hold.stored {
                    released.push(key);
                }
                self.freeing.insert(key);
            }
        }
        released
    }

    /// What the position passes of held keys is remembered with their holds.
    fn plan_chunks(&mut self, flight: &Flight) -> Vec<(KeyId, Vec<Seq>)> {
        let mut chunks = Vec::new();
        for key in std::mem::take(&mut self.growing) {
            let Some(turn) = self.holds.get(&key).map(|hold| hold.turn) else { continue };
            let position = self.planned(flight, turn);
            let Some(hold) = self.holds.get_mut(&key) else { continue };
            let seqs = hold.unstored(position);
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

    /// The commit under way is stored.
    pub(crate) fn confirm(&mut self) {
        let Some(flight) = self.flight.take() else { return };
        self.taking = false;
        self.main.confirm(flight.position);
        for (turn, position) in flight.turns {
            if let Some(stream) = self.turns.get_mut(&turn) {
                stream.confirm(position);
            }
        }
        match self.alone {
            Alone::Handing { seq, key, turn } => self.alone = Alone::Ready { seq, key, turn },
            Alone::Clearing if self.stored.handed.is_none() => self.alone = Alone::None,
            _ => {}
        }
        for key in flight.armed {
            let Some(hold) = self.holds.get_mut(&key).filter(|hold| hold.phase == Phase::Arming) else { continue };
            hold.phase = Phase::Ready;
            if !matches!(self.alone, Alone::Ready { key: alone, .. } if alone == key) {
                self.ready.push_hold(key);
            }
        }
        if !self.freeing.is_empty() || !self.freeing_turns.is_empty() {
            self.freeing.clear();
            self.freeing_turns.clear();
            self.ready_freed();
        }
        self.released = flight.released;
    }

    /// What was read of keys and tenants while their holds' removal was under way may start.
    fn ready_freed(&mut self) {
        for (n, item, state, _) in self.main.unsettled() {
            let front = item.key.is_solo() || self.chains.get(&item.key).is_some_and(|chain| chain.front == n);
            if state == super::SlotState::Queued && front {
                self.make_ready(item.turn, n);
            }
        }
        let turns: Vec<TurnId> = self.turns.keys().copied().collect();
        for turn in turns {
            let unsettled = self.turns.get(&turn).map(|stream| stream.unsettled()).unwrap_or_default();
            for (n, item, state, _) in unsettled {
                let front = item.key.is_solo() || self.chains.get(&item.key).is_some_and(|chain| chain.front == n);
                if state == super::SlotState::Queued && front {
                    self.make_ready(turn, n);
                }
            }
        }
    }

    /// The commit under way was refused: the lane is another's. Its handlers are to be cancelled.
    pub(crate) fn fenced(&mut self) {
        self.flight = None;
        self.lost = true;
    }
}

/// Forgets revisions that decide about nothing that is still to be read.
fn forget_segments(segments: &mut Vec<Segment>, position: Seq, least: Option<Seq>) {
    let next = least.map_or(position, |least| least.min(position)) + 1;
    let keep = segments.iter().rposition(|segment| segment.from <= next).unwrap_or(0);
    segments.drain(..keep);
}
