use std::{collections::VecDeque, sync::Arc};

use busway_core::{Entry, KeyId, Order, Seq, TurnId};

/// An entry, with what every subscription asks of it.
#[derive(Clone, Debug)]
pub(crate) struct Read {
    pub(crate) entry: Arc<Entry>,
    /// Its key under [`Order::Key`].
    pub(crate) key: KeyId,
    pub(crate) turn: TurnId,
    pub(crate) size: u32,
}

impl Read {
    pub(crate) fn of(entry: Arc<Entry>) -> Self {
        let size = u32::try_from(entry.size()).unwrap_or(u32::MAX);
        Self { key: entry.key_id(Order::Key), turn: entry.turn(), size, entry }
    }
}

/// A part of a lane: everything after `from`, up to `to`.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) from: Seq,
    pub(crate) to: Seq,
    pub(crate) reads: VecDeque<Read>,
}

impl Page {
    /// True if something comes after a seq that is all here.
    pub(crate) fn goes_on_after(&self, seq: Seq) -> bool {
        self.from <= seq && seq < self.to
    }

    /// How many entries come after a seq.
    pub(crate) fn count_after(&self, seq: Seq) -> usize {
        self.reads.len() - self.index_after(seq)
    }

    fn index_after(&self, seq: Seq) -> usize {
        self.reads.partition_point(|read| read.entry.seq <= seq)
    }

    /// What comes after a seq, at most `max` entries, and how far that is everything.
    pub(crate) fn after(&self, seq: Seq, max: usize) -> (Vec<Read>, Seq) {
        let start = self.index_after(seq);
        let reads: Vec<Read> = self.reads.range(start..).take(max).cloned().collect();
        let looked = if start + reads.len() == self.reads.len() {
            self.to
        } else {
            reads.last().map_or(seq, |read| read.entry.seq)
        };
        (reads, looked)
    }
}
