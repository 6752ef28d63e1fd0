use std::collections::{BTreeMap, VecDeque};

use busway_core::{KeyId, TurnId};

/// Something that may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Next {
    Hold(KeyId),
    Slot(TurnId, u64),
}

/// What may start, tenants in turns. Entries may have become stale; whoever pops one looks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Ready {
    holds: VecDeque<KeyId>,
    ring: VecDeque<TurnId>,
    slots: BTreeMap<TurnId, VecDeque<u64>>,
}

impl Ready {
    pub(super) fn push_slot(&mut self, turn: TurnId, n: u64) {
        let queue = self.slots.entry(turn).or_default();
        if queue.is_empty() {
            self.ring.push_back(turn);
        }
        queue.push_back(n);
    }

    pub(super) fn push_hold(&mut self, key: KeyId) {
        self.holds.push_back(key);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.holds.is_empty() && self.ring.is_empty()
    }

    /// Holds first, then each tenant's next in its turn.
    pub(super) fn pop(&mut self, holds_only: bool) -> Option<Next> {
        if let Some(key) = self.holds.pop_front() {
            return Some(Next::Hold(key));
        }
        if holds_only {
            return None;
        }
        let turn = self.ring.pop_front()?;
        let queue = self.slots.get_mut(&turn)?;
        let n = queue.pop_front()?;
        if queue.is_empty() {
            self.slots.remove(&turn);
        } else {
            self.ring.push_back(turn);
        }
        Some(Next::Slot(turn, n))
    }

    /// Forgets a tenant's slots.
    pub(super) fn forget(&mut self, turn: TurnId) {
        self.slots.remove(&turn);
        self.ring.retain(|other| *other != turn);
    }
}
