use busway_core::{DeadCause, KeyId, Seq, Timestamp, TurnId};

use super::{
    Alone, End, Lane, Run,
    hold::{Hold, Phase},
    rule::{Rule, keeps},
    stream::SlotState,
};

impl<E: Clone> Lane<E> {
    /// A run ended.
    pub(crate) fn outcome(&mut self, run: &Run<E>, end: End, now: Timestamp) {
        self.running = self.running.saturating_sub(1);
        if run.alone {
            self.alone = Alone::Clearing;
        }
        self.count(&end);
        let end = if matches!(end, End::Dead { .. }) && !keeps(Rule::DeadIsHold) { End::Ack } else { end };
        let of_hold =
            self.holds.get(&run.key).is_some_and(|hold| hold.phase == Phase::Running && hold.target() == run.seq);
        if of_hold { self.hold_ended(run, end, now) } else { self.slot_ended(run, end, now) }
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
        self.started.retain(|(_, seq, _)| *seq != run.seq);
        match end {
            End::Ack => {
                self.bury(run.seq);
                let next = self.stream_of(run.turn).settle(run.seq, SlotState::Settled);
                self.next_of_key(run.key, run.turn, next);
            }
            End::Cancelled => self.make_ready(run.turn, run.seq),
            End::Retry { .. } | End::Dead { .. } => {
                let mut hold = Hold::of(run.key, run.turn, run.seq, Phase::Running);
                self.fail(&mut hold, end, now);
                self.hold_from(run.seq, hold);
            }
        }
    }

    /// The next event of a key may start.
    fn next_of_key(&mut self, key: KeyId, turn: TurnId, next: Option<Seq>) {
        match (next, self.chains.get_mut(&key)) {
            (Some(next), Some(chain)) => {
                chain.front = next;
                self.make_ready(turn, next);
            }
            _ => {
                self.chains.remove(&key);
            }
        }
    }

    /// An event in the window and all later ones of its key become a hold's.
    pub(super) fn hold_from(&mut self, seq: Seq, mut hold: Hold) {
        self.chains.remove(&hold.key);
        let stream = self.stream_of(hold.turn);
        let mut next = stream.settle(seq, SlotState::Held);
        while let Some(later) = next {
            hold.observe(later);
            next = stream.settle(later, SlotState::Held);
        }
        self.put_hold(hold);
    }

    /// Takes up a hold that is new, or whose phase has changed.
    pub(super) fn put_hold(&mut self, mut hold: Hold) {
        let key = hold.key;
        match hold.phase {
            Phase::Waiting => {
                let target = hold.target();
                let of_lost_window =
                    self.stream_of(hold.turn).runs_alone(target) && keeps(Rule::LostWindowRunsAloneInHolds);
                hold.suspect |= of_lost_window || target <= hold.alone_until;
                self.waiting(hold.suspect).insert((hold.due, key));
            }
            Phase::Spent => {
                self.spent.insert((hold.done, key));
            }
            Phase::Arming | Phase::Ready | Phase::Running => self.armed += 1,
            Phase::Dying(_) | Phase::Blocked | Phase::Leased => {}
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
        match hold.phase {
            Phase::Waiting => {
                self.waiting(hold.suspect).remove(&(hold.due, key));
            }
            Phase::Spent => {
                self.spent.remove(&(hold.done, key));
            }
            Phase::Arming | Phase::Ready | Phase::Running => self.armed -= 1,
            Phase::Dying(_) | Phase::Blocked | Phase::Leased => {}
        }
        Some(hold)
    }

    fn hold_ended(&mut self, run: &Run<E>, end: End, now: Timestamp) {
        let Some(mut hold) = self.take_hold(run.key) else { return };
        match end {
            End::Ack => {
                self.bury(run.seq);
                hold.finish();
            }
            End::Cancelled => hold.take_back(run.alone && keeps(Rule::SuspectsStaySo)),
            End::Retry { .. } | End::Dead { .. } => self.fail(&mut hold, end, now),
        }
        self.put_hold(hold);
    }

    /// A run has failed: another follows, or a dead letter.
    fn fail(&self, hold: &mut Hold, end: End, now: Timestamp) {
        let (error, phase) = match end {
            End::Retry { due, error } => {
                hold.due = due;
                let last = hold.attempt >= self.policy.attempts;
                (error, if last { Phase::Dying(DeadCause::Attempts) } else { Phase::Waiting })
            }
            End::Dead { cause, error } => (error, Phase::Dying(cause)),
            End::Ack | End::Cancelled => return,
        };
        hold.fail(now, error);
        hold.phase = phase;
        hold.suspect = false;
    }

    /// An event was acknowledged: its dead letter goes, if it has one.
    pub(super) fn bury(&mut self, seq: Seq) {
        if self.dead.remove(&seq) {
            self.buried.push(seq);
        }
    }

    /// A run in the window that is slow, or in the way, becomes a hold whose handler runs.
    pub(super) fn hold_running(&mut self, turn: TurnId, seq: Seq) {
        let stream = self.stream_of(turn);
        let Some(slot) = stream.find(seq).filter(|slot| slot.state == SlotState::Running) else { return };
        if stream.runs_alone(seq) {
            return;
        }
        let key = slot.item.key;
        self.started.retain(|(_, other, _)| *other != seq);
        self.hold_from(seq, Hold::of(key, turn, seq, Phase::Running));
    }
}
