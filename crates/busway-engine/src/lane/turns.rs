use std::collections::BTreeMap;

use busway_core::{KeyId, Timestamp, TurnId};

use super::{Lane, stream::{Chain, SlotState}};

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
        if self.main.len() < self.share(None) || self.broken {
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

    fn hold_turn(&mut self, turn: TurnId) {
        let own = self.main.split(turn);
        self.turns.insert(turn, own);
        self.ready.forget(turn);
        self.relink(turn);
    }

    /// Rebuilds the lines of a tenant's keys after its events have moved.
    fn relink(&mut self, turn: TurnId) {
        let Some(stream) = self.turns.get_mut(&turn) else { return };
        let unsettled = stream.unsettled();
        let mut chains: BTreeMap<KeyId, Chain> = BTreeMap::new();
        for (n, item, state, careful) in unsettled {
            if !item.key.is_solo() {
                if let Some(chain) = chains.get_mut(&item.key) {
                    stream.slot_mut(chain.tail).next = Some(n);
                    chain.tail = n;
                    continue;
                }
                chains.insert(item.key, Chain { front: n, tail: n });
            }
            if state == SlotState::Ready && !careful {
                self.ready.push_slot(turn, n);
            }
        }
        for (key, chain) in chains {
            self.chains.insert(key, chain);
        }
    }
}
