use busway_core::{Seq, TurnId};

use super::{
    BEYOND, Item, Lane, ReadWish,
    hold::Phase,
    rule::{Rule, keeps},
    stream::{Chain, SlotState, Stream},
};

impl<E: Clone> Lane<E> {
    /// The next read that is wanted; one at a time per stream.
    pub(crate) fn poll_read(&mut self) -> Option<ReadWish> {
        if !self.is_open() {
            return None;
        }
        let full = self.is_saturated() || self.broken && (self.has_probe() || !keeps(Rule::BreakerReads));
        let wish = self.wish(None, BEYOND, full).or_else(|| {
            let end = self.main.cursor;
            self.turns.keys().find_map(|turn| self.wish(Some(*turn), end, full))
        })?;
        self.wishes += 1;
        let wish = ReadWish { id: self.wishes, ..wish };
        if let Some(stream) = self.stream_mut(wish.turn) {
            stream.reading = Some(wish.id);
        }
        Some(wish)
    }

    /// A read of this stream up to `end`; if the lane takes nothing more, only up to what its holds need.
    fn wish(&self, turn: Option<TurnId>, end: Seq, full: bool) -> Option<ReadWish> {
        let stream = self.stream(turn)?;
        let until = if full { stream.needed.min(end) } else { end };
        if stream.reading.is_some() || stream.cursor >= until {
            return None;
        }
        let (max, max_bytes) = self.room(turn)?;
        Some(ReadWish { turn, after: stream.cursor, until, max, max_bytes, id: 0 })
    }

    /// Entries and bytes that a stream may still take, if that is worth a read.
    fn room(&self, turn: Option<TurnId>) -> Option<(usize, usize)> {
        let share = self.share(turn);
        let stream = self.stream(turn)?;
        let free = share.saturating_sub(stream.len());
        let bytes = self.limits.window_bytes.saturating_sub(self.streams().map(|stream| stream.bytes).sum());
        let worth = free >= (share / 4).max(1) || stream.is_empty();
        (free > 0 && bytes > 0 && worth).then_some((free, bytes))
    }

    /// True if an open breaker has something to find out with whether handlers still fail.
    fn has_probe(&self) -> bool {
        self.armed > 0
            || !self.waiting.is_empty()
            || !self.suspects.is_empty()
            || self.streams().any(|stream| stream.passable() < stream.cursor)
    }

    /// A read could not be made; it is wished again.
    pub(crate) fn read_failed(&mut self, wish: ReadWish) {
        if let Some(stream) = self.awaiting(wish) {
            stream.reading = None;
        }
    }

    /// What was read by a wish: the entries and how far was looked. Ignored if the wish is out of date.
    pub(crate) fn read(&mut self, wish: ReadWish, entries: impl IntoIterator<Item = (Item, E)>, looked: Seq) {
        if self.awaiting(wish).is_none() {
            return;
        }
        let mut count = 0;
        for (item, body) in entries {
            count += 1;
            self.offer(wish.turn, item, body);
        }
        if let Some(stream) = self.stream_mut(wish.turn) {
            stream.looked_at(looked);
        }
        if wish.turn.is_none() && count < wish.max {
            self.crowded = None;
        }
    }

    /// One entry that was read: queued, or left to its hold or its tenant's stream. Seqs rise; what does not is a fault of
    /// the store's, and what it shows again is not taken again.
    fn offer(&mut self, of: Option<TurnId>, item: Item, body: E) {
        if self.stream(of).is_none_or(|stream| item.seq <= stream.cursor) {
            return;
        }
        let of_turn = of.is_none() && self.turns.contains_key(&item.turn);
        let held = of_turn || self.holds.contains(&item.key);
        if let Some(stream) = self.stream_mut(of) {
            stream.push(item, body, if held { SlotState::Held } else { SlotState::Queued });
        }
        if !held {
            self.link(item);
        } else if !of_turn {
            self.leave_to_hold(item);
        }
    }

    /// A hold takes what is read of its key.
    fn leave_to_hold(&mut self, item: Item) {
        let suspect = self.stream_of(item.turn).runs_alone(item.seq);
        let Some(hold) = self.holds.get_mut(&item.key) else { return };
        if !keeps(Rule::HoldRemembers) || !hold.observe(item.seq) {
            return;
        }
        self.growing.insert(item.key);
        if hold.phase == Phase::Spent {
            self.spent.remove(&(hold.done, item.key));
            hold.phase = Phase::Waiting;
            hold.suspect = suspect;
            let due = hold.due;
            self.waiting(suspect).insert((due, item.key));
        }
    }

    /// Puts a queued event behind the earlier ones of its key; the first is ready.
    fn link(&mut self, item: Item) {
        if item.key.is_solo() {
            return self.make_ready(item.turn, item.seq);
        }
        match self.chains.get_mut(&item.key) {
            Some(chain) => {
                let earlier = std::mem::replace(&mut chain.tail, item.seq);
                self.stream_of(item.turn).link(earlier, item.seq);
            }
            None => {
                self.chains.insert(item.key, Chain { front: item.seq, tail: item.seq });
                self.make_ready(item.turn, item.seq);
            }
        }
    }

    pub(super) fn make_ready(&mut self, turn: TurnId, seq: Seq) {
        let stream = self.stream_of(turn);
        let alone = stream.runs_alone(seq);
        let Some(slot) = stream.find_mut(seq) else { return };
        slot.state = SlotState::Ready;
        if !alone {
            self.ready.push_slot(turn, seq);
        }
    }

    fn stream(&self, turn: Option<TurnId>) -> Option<&Stream<E>> {
        match turn {
            None => Some(&self.main),
            Some(turn) => self.turns.get(&turn),
        }
    }

    fn stream_mut(&mut self, turn: Option<TurnId>) -> Option<&mut Stream<E>> {
        match turn {
            None => Some(&mut self.main),
            Some(turn) => self.turns.get_mut(&turn),
        }
    }

    /// The stream that still waits for what this wish reads.
    fn awaiting(&mut self, wish: ReadWish) -> Option<&mut Stream<E>> {
        self.stream_mut(wish.turn).filter(|stream| stream.reading == Some(wish.id))
    }
}
