use std::collections::VecDeque;

use busway_core::{Seq, TurnId};

use super::{BEYOND, Item};

/// How an event in the window stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum SlotState {
    /// Behind an earlier one of its key, or behind a removal under way.
    Queued,
    /// It may start.
    Ready,
    Running,
    Settled,
    /// Its hold's, or its tenant's.
    Held,
}

/// An event in the window.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Slot<E> {
    pub(super) item: Item,
    pub(super) body: E,
    pub(super) state: SlotState,
    /// It runs alone.
    pub(super) careful: bool,
    /// The next of its key.
    pub(super) next: Option<u64>,
}

impl<E> Slot<E> {
    fn passable(&self) -> bool {
        matches!(self.state, SlotState::Settled | SlotState::Held)
    }
}

/// The unsettled events of a key in the window, by their numbers: a list through [`Slot::next`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Chain {
    pub(super) front: u64,
    pub(super) tail: u64,
}

/// A cursor over the log with a window behind it: the lane's own, or that of a held tenant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Stream<E> {
    /// Confirmed: everything up to here is settled or in a hold.
    pub(super) position: Seq,
    /// How far was read.
    pub(super) cursor: Seq,
    /// Up to here reading goes on even when the lane takes nothing more.
    pub(super) needed: Seq,
    /// The wish whose read is under way.
    pub(super) reading: Option<u64>,
    pub(super) bytes: usize,
    slots: VecDeque<Slot<E>>,
    /// The number of the first slot.
    base: u64,
    /// Events still to be read that run alone.
    careful_left: usize,
    /// Slots that run alone and have not been settled.
    careful: usize,
    /// Events still to be read before the lost holder's window is known to be passed.
    probation_left: usize,
    /// The end of that window, [`BEYOND`] until it is known, 0 if there is none.
    pub(super) probation: Seq,
    /// Of a held tenant: the store knows it, and this position of it.
    pub(super) stored: bool,
    pub(super) planned: Seq,
    /// The log's end when the lane was taken: a lost holder cannot have handed out more.
    taken_end: Seq,
}

impl<E> Stream<E> {
    pub(super) fn new(position: Seq) -> Self {
        Self {
            position,
            cursor: position,
            needed: 0,
            reading: None,
            bytes: 0,
            slots: VecDeque::new(),
            base: 0,
            careful_left: 0,
            careful: 0,
            probation_left: 0,
            probation: 0,
            taken_end: 0,
            stored: false,
            planned: 0,
        }
    }

    /// The holder before was lost: its window is on probation, and runs alone if an earlier one's still was.
    pub(super) fn on_probation(&mut self, earlier: Seq, window: usize, end: Seq) {
        if end <= self.position {
            return;
        }
        if earlier > self.position {
            self.careful_left = window;
        }
        self.probation = BEYOND;
        self.probation_left = window;
        self.taken_end = end;
    }

    /// Takes up the probation that the store has, after a clean hand-over.
    pub(super) fn keep_probation(&mut self, stored: Seq, window: usize, end: Seq) {
        if stored > self.position {
            self.probation = stored;
            if stored >= BEYOND {
                self.probation_left = window;
                self.taken_end = end;
            }
        }
    }

    pub(super) fn push(&mut self, item: Item, body: E, state: SlotState) -> u64 {
        let careful = self.careful_left > 0;
        if careful {
            self.careful_left -= 1;
            if state == SlotState::Queued {
                self.careful += 1;
            }
        }
        if self.probation_left > 0 {
            self.probation_left -= 1;
            if self.probation_left == 0 {
                self.probation = item.seq;
            }
        }
        self.bytes += item.size as usize;
        self.slots.push_back(Slot { item, body, state, careful, next: None });
        self.cursor = item.seq;
        self.base + self.slots.len() as u64 - 1
    }

    /// The read that was under way looked this far.
    pub(super) fn looked_at(&mut self, looked: Seq) {
        self.reading = None;
        self.cursor = self.cursor.max(looked);
        if self.cursor >= self.taken_end {
            self.careful_left = 0;
            if self.probation_left > 0 {
                self.probation_left = 0;
                self.probation = self.taken_end;
            }
        }
    }

    pub(super) fn wary(&self) -> bool {
        self.careful > 0 || self.careful_left > 0
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn first_body(&self) -> Option<&E> {
        self.slots.front().map(|slot| &slot.body)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    pub(super) fn get_mut(&mut self, n: u64) -> Option<&mut Slot<E>> {
        let index = n.checked_sub(self.base)?;
        self.slots.get_mut(usize::try_from(index).ok()?)
    }

    /// A slot that is known to be there: one that is not settled never leaves.
    pub(super) fn slot_mut(&mut self, n: u64) -> &mut Slot<E> {
        let index = (n - self.base) as usize;
        &mut self.slots[index]
    }

    pub(super) fn index_of(&self, seq: Seq) -> Option<u64> {
        let index = self.slots.binary_search_by_key(&seq, |slot| slot.item.seq).ok()?;
        Some(self.base + index as u64)
    }

    pub(super) fn find_mut(&mut self, seq: Seq) -> Option<&mut Slot<E>> {
        let n = self.index_of(seq)?;
        self.get_mut(n)
    }

    /// Settles or leaves to a hold; tells the next of its key.
    pub(super) fn settle(&mut self, n: u64, state: SlotState) -> Option<u64> {
        let index = (n - self.base) as usize;
        let slot = &mut self.slots[index];
        if slot.careful && !slot.passable() {
            self.careful -= 1;
        }
        slot.state = state;
        slot.next.take()
    }

    /// Up to where everything is settled or in a hold.
    pub(super) fn passable(&self) -> Seq {
        match self.slots.iter().position(|slot| !slot.passable()) {
            None => self.cursor,
            Some(index) => self.slots[index].item.seq - 1,
        }
    }

    /// True if a slot at the front is settled or held: a commit would make room.
    pub(super) fn front_passable(&self) -> bool {
        self.slots.front().is_some_and(Slot::passable)
    }

    /// The position is stored.
    pub(super) fn confirm(&mut self, position: Seq) {
        self.position = self.position.max(position);
        while self.slots.front().is_some_and(|slot| slot.passable() && slot.item.seq <= position) {
            if let Some(slot) = self.slots.pop_front() {
                self.bytes -= slot.item.size as usize;
                self.base += 1;
            }
        }
    }

    /// The first event that waits to run alone.
    pub(super) fn first_careful(&self) -> Option<Item> {
        if self.careful == 0 {
            return None;
        }
        self.slots.iter().find(|slot| slot.careful && slot.state == SlotState::Ready).map(|slot| slot.item)
    }

    /// The first event, if it runs.
    pub(super) fn front_running(&self) -> Option<Item> {
        let first = self.slots.iter().find(|slot| !slot.passable())?;
        (first.state == SlotState::Running).then_some(first.item)
    }

    /// Unsettled events per tenant: the one with the most, and how many.
    pub(super) fn loudest(&self) -> Option<(TurnId, usize)> {
        let mut counts = std::collections::BTreeMap::new();
        for slot in self.slots.iter().filter(|slot| !slot.passable()) {
            *counts.entry(slot.item.turn).or_insert(0) += 1;
        }
        counts.into_iter().max_by_key(|(turn, count)| (*count, *turn))
    }

    /// Moves a tenant's unsettled events to a stream of its own; they count as held here.
    pub(super) fn split(&mut self, turn: TurnId) -> Stream<E>
    where
        E: Clone,
    {
        let first = self.slots.iter().find(|slot| slot.item.turn == turn && !slot.passable());
        let mut own = Stream::new(first.map_or(self.cursor, |slot| slot.item.seq - 1));
        own.probation = self.probation;
        for slot in self.slots.iter_mut().filter(|slot| slot.item.turn == turn) {
            if slot.passable() && slot.item.seq <= own.position {
                continue;
            }
            own.bytes += slot.item.size as usize;
            own.slots.push_back(Slot { next: None, ..slot.clone() });
            if slot.careful && !slot.passable() {
                self.careful -= 1;
                own.careful += 1;
            }
            slot.state = SlotState::Held;
            slot.next = None;
        }
        own.cursor = self.cursor;
        own
    }

    /// Numbers, items, states and carefulness of the slots that are not settled.
    pub(super) fn unsettled(&self) -> Vec<(u64, Item, SlotState, bool)> {
        let numbered = (self.base..).zip(&self.slots).filter(|(_, slot)| !slot.passable());
        numbered.map(|(n, slot)| (n, slot.item, slot.state, slot.careful)).collect()
    }
}
