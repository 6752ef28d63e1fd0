use std::collections::{BTreeMap, VecDeque};

use busway_core::{KeyId, Seq, TurnId};

/// Something that may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Next {
    Hold(KeyId),
    Slot(TurnId, Seq),
}

/// What may start, tenants in turns. Entries may have become stale; whoever pops one looks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Ready {
    holds: VecDeque<KeyId>,
    ring: VecDeque<TurnId>,
    slots: BTreeMap<TurnId, VecDeque<Seq>>,
}

impl Ready {
    pub(super) fn push_slot(&mut self, turn: TurnId, seq: Seq) {
        let queue = self.slots.entry(turn).or_default();
        if queue.is_empty() {
            self.ring.push_back(turn);
        }
        queue.push_back(seq);
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
        let seq = queue.pop_front()?;
        if queue.is_empty() {
            self.slots.remove(&turn);
        } else {
            self.ring.push_back(turn);
        }
        Some(Next::Slot(turn, seq))
    }

    /// Takes out the holds.
    pub(super) fn take_holds(&mut self) -> VecDeque<KeyId> {
        std::mem::take(&mut self.holds)
    }

    /// Forgets a tenant's slots.
    pub(super) fn forget(&mut self, turn: TurnId) {
        self.slots.remove(&turn);
        self.ring.retain(|other| *other != turn);
    }
}
