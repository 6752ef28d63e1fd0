use busway_core::{DeadCause, KeyId, Seq, Timestamp, TurnId};

use super::{
    Alone, End, Lane, Run,
    hold::{Hold, Phase},
    stream::SlotState,
    stream_of,
};

impl<E: Clone> Lane<E> {
    /// A run ended.
    pub(crate) fn outcome(&mut self, run: &Run<E>, end: End, now: Timestamp) {
        self.running = self.running.saturating_sub(1);
        if run.alone {
            self.alone = Alone::Clearing;
        }
        self.count(&end);
        let of_hold = self.holds.get(&run.key).is_some_and(|hold| hold.phase == Phase::Running && hold.target() == run.seq);
        if of_hold { self.hold_ended(run.key, end, now) } else { self.slot_ended(run, end, now) }
    }

    fn count(&mut self, end: &End) {
        match end {
            End::Ack => {
                self.stored.delivered += 1;
                self.failures_in_row = 0;
                self.broken = false;
            }
            End::Retry { .. } | End::Dead { .. } => {
                self.stored.failed += 1;
                self.failures_in_row = self.failures_in_row.saturating_add(1);
                self.broken = self.broken || self.failures_in_row >= self.limits.breaker;
            }
            End::Cancelled => {}
        }
    }

    fn slot_ended(&mut self, run: &Run<E>, end: End, now: Timestamp) {
        self.started.retain(|(_, seq, _)| *seq != run.seq || run.alone);
        let stream = stream_of(&mut self.main, &mut self.turns, run.turn);
        let Some(n) = stream.index_of(run.seq) else { return };
        let mut hold = Hold::of(run.key, run.turn, run.seq, Phase::Waiting);
        match end {
            End::Ack => {
                let next = stream.settle(n, SlotState::Settled);
                return self.next_of_key(run.key, run.turn, next);
            }
            End::Cancelled => return self.make_ready(run.turn, n),
            End::Retry { due, error } => {
                hold.fail(now, error);
                hold.due = due;
                if hold.attempt >= self.policy.attempts {
                    hold.phase = Phase::Dying(DeadCause::Attempts);
                }
            }
            End::Dead { cause, error } => {
                hold.fail(now, error);
                hold.phase = Phase::Dying(cause);
            }
        }
        self.hold_from(n, hold);
    }

    /// The next event of a key may start.
    fn next_of_key(&mut self, key: KeyId, turn: TurnId, next: Option<u64>) {
        if key.is_solo() {
            return;
        }
        match (next, self.chains.get_mut(&key)) {
            (Some(n), Some(chain)) => {
                chain.front = n;
                self.make_ready(turn, n);
            }
            _ => {
                self.chains.remove(&key);
            }
        }
    }

    /// An event in the window and all later ones of its key become a hold's.
    pub(super) fn hold_from(&mut self, n: u64, mut hold: Hold) {
        self.chains.remove(&hold.key);
        let stream = stream_of(&mut self.main, &mut self.turns, hold.turn);
        let mut next = stream.settle(n, SlotState::Held);
        while let Some(later) = next {
            hold.observe(stream.slot_mut(later).item.seq);
            next = stream.settle(later, SlotState::Held);
        }
        self.put_hold(hold);
    }

    /// Takes up a hold that is new, or whose phase has changed.
    pub(super) fn put_hold(&mut self, hold: Hold) {
        let key = hold.key;
        match hold.phase {
            Phase::Waiting => {
                self.waiting.insert((hold.due, key));
            }
            Phase::Suspect => {
                self.suspects.insert(key);
            }
            Phase::Spent => {
                self.spent.insert(key);
            }
            Phase::Running => self.armed += 1,
            Phase::Arming | Phase::Ready | Phase::Leased | Phase::Dying(_) | Phase::Blocked => {}
        }
        if hold.is_growing() {
            self.growing.insert(key);
        }
        self.dirty.insert(key);
        self.holds.insert(key, hold);
    }

    /// Takes a hold out of all lists to change it; [`Self::put_hold`] puts it back.
    pub(super) fn take_hold(&mut self, key: KeyId) -> Option<Hold> {
        let hold = self.holds.remove(&key)?;
        self.waiting.remove(&(hold.due, key));
        self.suspects.remove(&key);
        self.spent.remove(&key);
        if matches!(hold.phase, Phase::Arming | Phase::Ready | Phase::Running) {
            self.armed -= 1;
        }
        Some(hold)
    }

    fn hold_ended(&mut self, key: KeyId, end: End, now: Timestamp) {
        let Some(mut hold) = self.take_hold(key) else { return };
        self.started.retain(|(_, seq, _)| *seq != hold.target());
        match end {
            End::Ack => {
                let settled = hold.target();
                if hold.again.is_some() || hold.letter {
                    self.dead.remove(&settled);
                    self.buried.push(settled);
                }
                hold.finish();
            }
            End::Cancelled => {
                hold.attempt = hold.attempt.saturating_sub(1);
                hold.due = now;
                hold.phase = Phase::Waiting;
            }
            End::Retry { due, error } => {
                hold.fail(now, error);
                if hold.attempt >= self.policy.attempts {
                    hold.phase = Phase::Dying(DeadCause::Attempts);
                } else {
                    hold.due = due;
                    hold.phase = Phase::Waiting;
                }
            }
            End::Dead { cause, error } => {
                hold.fail(now, error);
                hold.phase = Phase::Dying(cause);
            }
        }
        self.put_hold(hold);
    }

    /// A run in the window that is slow, or in the way, becomes a hold whose handler runs.
    pub(super) fn hold_running(&mut self, turn: TurnId, seq: Seq) {
        let stream = stream_of(&mut self.main, &mut self.turns, turn);
        let Some(n) = stream.index_of(seq) else { return };
        let slot = stream.slot_mut(n);
        if slot.state != SlotState::Running || slot.careful {
            return;
        }
        let key = slot.item.key;
        self.started.retain(|(_, other, _)| *other != seq);
        self.hold_from(n, Hold::of(key, turn, seq, Phase::Running));
    }
}
