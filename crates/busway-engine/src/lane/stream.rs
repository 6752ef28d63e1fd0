use std::collections::{HashMap, VecDeque};

use busway_core::{Seq, TurnId};
use foldhash::fast::RandomState;

use super::{
    BEYOND, Item,
    rule::{Rule, keeps},
};

/// A probation whose end is not known yet and whose events run alone.
pub(super) const ALONE: Seq = BEYOND - 1;

/// How an event in the window stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum SlotState {
    /// Behind an earlier one of its key.
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
    /// The next of its key.
    pub(super) next: Option<Seq>,
}

impl<E> Slot<E> {
    pub(super) fn passable(&self) -> bool {
        matches!(self.state, SlotState::Settled | SlotState::Held)
    }
}

/// The unsettled events of a key in the window: a list through [`Slot::next`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Chain {
    pub(super) front: Seq,
    pub(super) tail: Seq,
}

/// A cursor over the log with a window behind it: the lane's own, or that of a held tenant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Stream<E> {
    /// How far was read.
    pub(super) cursor: Seq,
    /// Up to here reading goes on even when the lane takes nothing more.
    pub(super) needed: Seq,
    /// The wish whose read is under way.
    pub(super) reading: Option<u64>,
    pub(super) bytes: usize,
    /// Ascending.
    slots: VecDeque<Slot<E>>,
    /// The end of a lost holder's window, [`BEYOND`] until it is known; 0 if there is none.
    probation: Seq,
    /// Events of that window that are still to be read.
    lost_left: usize,
    /// They run alone.
    lost_alone: bool,
    /// Events after this one and up to that one run alone, in the window and in holds.
    alone: (Seq, Seq),
    /// Slots of these that are not settled.
    careful: usize,
    /// The log's end when the lane was taken: a lost holder cannot have handed out more.
    taken_end: Seq,
    /// Of a held tenant: the position and probation that the store has.
    pub(super) stored: Option<(Seq, Seq)>,
}

impl<E> Stream<E> {
    pub(super) fn new(position: Seq) -> Self {
        Self {
            cursor: position,
            needed: 0,
            reading: None,
            bytes: 0,
            slots: VecDeque::new(),
            probation: 0,
            lost_left: 0,
            lost_alone: false,
            alone: (0, 0),
            careful: 0,
            taken_end: 0,
            stored: None,
        }
    }

    /// As it is taken over: if its holder was lost, that one's window is on probation, and runs alone if an
    /// earlier one's still was.
    pub(super) fn taken(position: Seq, probation: Seq, lost: bool, window: usize, end: Seq) -> Self {
        let mut stream = Self { stored: Some((position, probation)), ..Self::new(position) };
        let open = probation > position;
        if end > position && (lost || open) {
            stream.lost_alone = (probation == ALONE || lost && open) && keeps(Rule::LostWindowRunsAlone);
            stream.alone = (position, position);
            stream.probation = probation;
            if lost || probation >= ALONE {
                stream.probation = BEYOND;
                stream.lost_left = window;
                stream.taken_end = end;
            }
        }
        stream
    }

    pub(super) fn push(&mut self, item: Item, body: E, state: SlotState) {
        self.leave_lost_window(item.seq - 1);
        if self.lost_alone && self.lost_left > 0 {
            self.alone.1 = item.seq;
            self.careful += usize::from(state == SlotState::Queued);
        }
        if self.lost_left > 0 {
            self.lost_left -= 1;
            if self.lost_left == 0 {
                self.probation = item.seq;
            }
        }
        self.bytes += item.size as usize;
        self.cursor = item.seq;
        self.slots.push_back(Slot { item, body, state, next: None });
    }

    /// The read that was under way looked this far.
    pub(super) fn looked_at(&mut self, looked: Seq) {
        self.reading = None;
        self.cursor = self.cursor.max(looked);
        self.leave_lost_window(self.cursor);
    }

    /// Everything up to here was read.
    fn leave_lost_window(&mut self, read: Seq) {
        if self.lost_left > 0 && read >= self.taken_end {
            self.lost_left = 0;
            self.probation = self.taken_end;
        }
    }

    /// True if this event runs alone.
    pub(super) fn runs_alone(&self, seq: Seq) -> bool {
        self.alone.0 < seq && seq <= self.alone.1
    }

    /// True while there are events in the window that run alone. What is still to be read makes nobody wait: whatever
    /// keeps it from being read may need what waits here.
    pub(super) fn wary(&self) -> bool {
        self.careful > 0
    }

    /// The probation as it is to be stored with this position.
    pub(super) fn probation(&self, position: Seq) -> Seq {
        match self.probation {
            _ if (self.wary() || self.lost_alone && self.lost_left > 0) && keeps(Rule::ReleaseStaysWary) => ALONE,
            probation if probation > position => probation,
            _ => 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    pub(super) fn first_body(&self) -> Option<&E> {
        self.slots.front().map(|slot| &slot.body)
    }

    pub(super) fn find(&self, seq: Seq) -> Option<&Slot<E>> {
        self.slots.get(self.index(seq)?)
    }

    pub(super) fn find_mut(&mut self, seq: Seq) -> Option<&mut Slot<E>> {
        let index = self.index(seq)?;
        self.slots.get_mut(index)
    }

    fn index(&self, seq: Seq) -> Option<usize> {
        // Where everything is wanted, an event stands as far behind the first as its seq is above the first's.
        let distance = usize::try_from(seq.checked_sub(self.slots.front()?.item.seq)?).ok()?;
        match self.slots.get(distance) {
            Some(slot) if slot.item.seq == seq => Some(distance),
            _ => self.slots.binary_search_by_key(&seq, |slot| slot.item.seq).ok(),
        }
    }

    /// Puts `later` behind `earlier`, which is of the same key.
    pub(super) fn link(&mut self, earlier: Seq, later: Seq) {
        if let Some(slot) = self.find_mut(earlier) {
            slot.next = Some(later);
        }
    }

    /// Settles or leaves to a hold; tells the next of its key.
    pub(super) fn settle(&mut self, seq: Seq, state: SlotState) -> Option<Seq> {
        let alone = self.runs_alone(seq);
        let slot = self.find_mut(seq)?;
        let was_careful = alone && !slot.passable();
        slot.state = state;
        let next = slot.next.take();
        self.careful -= usize::from(was_careful);
        next
    }

    /// Up to where everything is settled or in a hold.
    pub(super) fn passable(&self) -> Seq {
        self.slots.iter().find(|slot| !slot.passable()).map_or(self.cursor, |slot| slot.item.seq - 1)
    }

    /// True if a slot at the front is settled or held: a commit would make room.
    pub(super) fn front_passable(&self) -> bool {
        self.slots.front().is_some_and(Slot::passable)
    }

    /// The position is stored.
    pub(super) fn confirm(&mut self, position: Seq) {
        while let Some(slot) = self.slots.pop_front_if(|slot| slot.passable() && slot.item.seq <= position) {
            self.bytes -= slot.item.size as usize;
        }
    }

    /// The first event that waits to run alone.
    pub(super) fn first_careful(&self) -> Option<Item> {
        if self.careful == 0 {
            return None;
        }
        let mut ready = self.slots.iter().filter(|slot| slot.state == SlotState::Ready);
        ready.find(|slot| self.runs_alone(slot.item.seq)).map(|slot| slot.item)
    }

    /// The first event, if it runs.
    pub(super) fn front_running(&self) -> Option<Item> {
        let first = self.slots.iter().find(|slot| !slot.passable())?;
        (first.state == SlotState::Running).then_some(first.item)
    }

    /// Unsettled events per tenant: the one with the most, and how many.
    pub(super) fn loudest(&self) -> Option<(TurnId, usize)> {
        let mut counts: HashMap<TurnId, usize, RandomState> = HashMap::default();
        for slot in self.slots.iter().filter(|slot| !slot.passable()) {
            *counts.entry(slot.item.turn).or_insert(0) += 1;
        }
        counts.into_iter().max_by_key(|(turn, count)| (*count, *turn))
    }

    /// Moves a tenant's unsettled events to a stream of its own; they count as held here.
    pub(super) fn split(&mut self, turn: TurnId) -> Self
    where
        E: Clone,
    {
        let first = self.slots.iter().find(|slot| slot.item.turn == turn && !slot.passable());
        let position = first.map_or(self.cursor, |slot| slot.item.seq - 1);
        let mut own = Self {
            cursor: self.cursor,
            probation: self.probation,
            lost_left: self.lost_left,
            lost_alone: self.lost_alone,
            alone: self.alone,
            taken_end: self.taken_end,
            ..Self::new(position)
        };
        for slot in self.slots.iter_mut().filter(|slot| slot.item.turn == turn && slot.item.seq > position) {
            own.bytes += slot.item.size as usize;
            own.slots.push_back(Slot { next: None, ..slot.clone() });
            slot.state = SlotState::Held;
            slot.next = None;
        }
        own
    }

    /// What is unsettled before something that is settled.
    pub(super) fn gaps(&self) -> Vec<Item> {
        let settled = self.slots.iter().rposition(|slot| slot.state == SlotState::Settled).unwrap_or(0);
        self.slots.iter().take(settled).filter(|slot| !slot.passable()).map(|slot| slot.item).collect()
    }

    /// Items and states of the slots that are not settled.
    pub(super) fn unsettled(&self) -> Vec<(Item, SlotState)> {
        self.slots.iter().filter(|slot| !slot.passable()).map(|slot| (slot.item, slot.state)).collect()
    }
}
