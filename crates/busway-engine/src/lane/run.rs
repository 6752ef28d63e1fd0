use std::collections::BTreeSet;

use busway_core::{KeyId, Seq, Timestamp, TurnId};

use super::{Alone, Lane, Run, hold::Phase, ready::Next, stream::SlotState};

impl<E: Clone> Lane<E> {
    /// The next handler to start, if one may start now.
    pub(crate) fn next_run(&mut self, now: Timestamp) -> Option<Run<E>> {
        if !self.is_open() {
            return None;
        }
        if self.alone == Alone::Ready {
            let (seq, key, turn) = self.handed()?;
            self.alone = Alone::Running;
            return Some(self.start(seq, key, turn, true));
        }
        if self.alone != Alone::None || self.wary(now) || self.broken && self.running > 0 {
            return None;
        }
        let probe_holds = self.broken && (self.armed > 0 || !self.waiting.is_empty() || !self.suspects.is_empty());
        loop {
            match self.ready.pop(probe_holds)? {
                Next::Hold(key) => {
                    let Some(hold) = self.holds.get(&key).filter(|hold| hold.phase == Phase::Ready) else { continue };
                    return Some(self.start(hold.target(), key, hold.turn, false));
                }
                Next::Slot(turn, seq) => {
                    let slot = self.stream_of(turn).find(seq);
                    let Some(slot) = slot.filter(|slot| slot.state == SlotState::Ready) else { continue };
                    let key = slot.item.key;
                    self.started.push_back((now, seq, turn));
                    return Some(self.start(seq, key, turn, false));
                }
            }
        }
    }

    fn start(&mut self, seq: Seq, key: KeyId, turn: TurnId, alone: bool) -> Run<E> {
        self.running += 1;
        let again = self.dead.contains(&seq);
        if let Some(hold) = self.holds.get_mut(&key) {
            hold.phase = Phase::Running;
            return Run { seq, key, turn, attempt: hold.attempt, alone, again, body: None };
        }
        let slot = self.stream_of(turn).find_mut(seq);
        let body = slot.map(|slot| {
            slot.state = SlotState::Running;
            slot.body.clone()
        });
        Run { seq, key, turn, attempt: 1, alone, again, body }
    }

    /// Time passed: slow runs become holds, and so does what stands in the way of a full window.
    pub(crate) fn tick(&mut self, now: Timestamp) {
        let slow = now.as_millis() - self.limits.slow_ms;
        while let Some((_, seq, turn)) = self.started.pop_front_if(|(since, ..)| since.as_millis() <= slow) {
            self.hold_running(turn, seq);
        }
        if let Some(item) = self.main.front_running().filter(|_| self.is_stuck_behind_front()) {
            self.hold_running(item.turn, item.seq);
        }
        self.watch_crowd(now);
    }

    /// The window is full and nothing in it can start.
    fn is_stuck_behind_front(&self) -> bool {
        self.main.len() >= self.share(None) && self.ready.is_empty()
    }

    /// When [`Self::tick`] or [`Self::poll_commit`] has something to do next, if nothing else happens. What is
    /// overdue waits for something else.
    pub(crate) fn deadline(&self, now: Timestamp) -> Option<Timestamp> {
        let after = |millis: i64, since: Timestamp| Timestamp::from_millis(since.as_millis() + millis);
        let next = |waiting: &BTreeSet<(Timestamp, KeyId)>| waiting.range((now, KeyId(u128::MAX))..).next().copied();
        let due = next(&self.waiting).filter(|_| self.is_open()).map(|(due, _)| due);
        let suspect = next(&self.suspects).filter(|_| self.is_open()).map(|(due, _)| due);
        let slow = self.started.front().map(|(since, ..)| after(self.limits.slow_ms, *since));
        let lazy = self.is_behind().then(|| after(self.limits.lazy_ms, self.last_commit));
        let crowd = self.crowded.map(|(_, since)| after(self.limits.crowd_ms, since));
        [due, suspect, slow, lazy, crowd].into_iter().flatten().filter(|at| *at > now).min()
    }
}
