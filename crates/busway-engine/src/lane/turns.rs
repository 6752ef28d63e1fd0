use busway_core::{Timestamp, TurnId};

use super::{
    Lane,
    stream::{Chain, SlotState},
};

impl<E: Clone> Lane<E> {
    /// How many events of the window a stream may take: all of it while no tenant is held, else the lane's own
    /// half, and the held tenants share the other.
    pub(super) fn share(&self, turn: Option<TurnId>) -> usize {
        match (turn, self.turns.len()) {
            (_, 0) => self.limits.window,
            (None, _) => (self.limits.window / 2).max(1),
            (Some(_), held) => (self.limits.window / 2 / held).max(1),
        }
    }

    /// A tenant that has filled a full window for a while is held: it goes on in its own turns, and the lane
    /// reads past it.
    pub(super) fn watch_crowd(&mut self, now: Timestamp) {
        if self.main.len() < self.share(None) || self.broken || self.wary(now) {
            return;
        }
        let Some((turn, count)) = self.main.loudest() else { return };
        if count * 2 <= self.share(None) {
            self.crowded = None;
            return;
        }
        match self.crowded {
            Some((crowding, since)) if crowding == turn => {
                let most = self.limits.window / 2 / self.limits.window.min(8);
                if now.as_millis() - since.as_millis() >= self.limits.crowd_ms && self.turns.len() < most.max(1) {
                    self.crowded = None;
                    self.hold_turn(turn);
                }
            }
            _ => self.crowded = Some((turn, now)),
        }
    }

    /// Moves a tenant's events to a stream of their own, and lines them up there.
    fn hold_turn(&mut self, turn: TurnId) {
        let own = self.main.split(turn);
        let unsettled = own.unsettled();
        self.turns.insert(turn, own);
        self.ready.forget(turn);
        for (item, _) in &unsettled {
            self.chains.remove(&item.key);
        }
        for (item, state) in unsettled {
            match self.chains.get_mut(&item.key) {
                Some(chain) => {
                    let earlier = std::mem::replace(&mut chain.tail, item.seq);
                    self.stream_of(turn).link(earlier, item.seq);
                    continue;
                }
                None if item.key.is_solo() => {}
                None => self.chains.insert(item.key, Chain { front: item.seq, tail: item.seq }),
            }
            if state == SlotState::Ready {
                self.ready.push_slot(turn, item.seq);
            }
        }
    }
}
