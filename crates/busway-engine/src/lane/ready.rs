use std::{
    collections::VecDeque,
    hash::{Hash, Hasher},
};

use busway_core::{KeyId, Seq, TurnId};

use super::keymap::KeyMap;

/// Empty queues that are kept for the next tenants.
const SPARE: usize = 32;

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
    /// No queue is empty.
    slots: KeyMap<VecDeque<Seq>, TurnId>,
    spare: Spare,
}

impl Ready {
    pub(super) fn push_slot(&mut self, turn: TurnId, seq: Seq) {
        if let Some(queue) = self.slots.get_mut(&turn) {
            return queue.push_back(seq);
        }
        let mut queue = self.spare.0.pop().unwrap_or_default();
        queue.push_back(seq);
        self.slots.insert(turn, queue);
        self.ring.push_back(turn);
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
            let emptied = self.slots.remove(&turn);
            self.spare.0.extend(emptied.filter(|_| self.spare.0.len() < SPARE));
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

/// What is spare tells nothing of a lane apart from another.
#[derive(Clone, Debug, Default)]
struct Spare(Vec<VecDeque<Seq>>);

impl PartialEq for Spare {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Spare {}

impl Hash for Spare {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}
