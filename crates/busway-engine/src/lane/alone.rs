use std::collections::BTreeSet;

use busway_core::{Handed, KeyId, Seq, Timestamp, TurnId};

use super::{
    Lane,
    rule::{Rule, keeps},
    stream::Stream,
};

/// How the event that runs alone stands; which it is, says `handed` of the checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Alone {
    None,
    /// `handed` is being stored.
    Handing,
    /// It may start.
    Ready,
    Running,
    /// It has ended, and the store still names it.
    Clearing,
}

impl<E: Clone> Lane<E> {
    /// True while everything runs alone.
    pub(super) fn wary(&self, now: Timestamp) -> bool {
        self.suspects.first().is_some_and(|(due, _)| *due <= now) || self.streams().any(Stream::wary)
    }

    /// True if an alone run could start and only the permit is missing.
    pub(crate) fn wants_permit(&self, now: Timestamp) -> bool {
        !self.permit && self.alone_candidate(now).is_some()
    }

    /// The process's permit is this lane's until [`Self::returns_permit`].
    pub(crate) fn grant(&mut self) {
        self.permit = true;
    }

    /// True once if the permit is not needed any more.
    pub(crate) fn returns_permit(&mut self, now: Timestamp) -> bool {
        let needed = match self.alone {
            Alone::Running => true,
            _ if self.lost => false,
            Alone::None => self.alone_candidate(now).is_some(),
            _ => true,
        };
        let returned = self.permit && !needed;
        self.permit &= needed;
        returned
    }

    /// What runs alone next, if something may: the lowest seq among suspect holds, careful events and, while
    /// careful, due holds.
    fn alone_candidate(&self, now: Timestamp) -> Option<(Seq, KeyId, TurnId)> {
        let free = matches!(self.alone, Alone::None | Alone::Clearing);
        if !self.is_open() || !self.wary(now) || self.running > 0 || !free {
            return None;
        }
        let due = |waiting: &BTreeSet<(Timestamp, KeyId)>| {
            let due = waiting.iter().take_while(|(due, _)| *due <= now);
            let holds = due.filter_map(|(_, key)| self.holds.get(key));
            holds.map(|hold| (hold.target(), hold.key, hold.turn)).min()
        };
        let slots = self.streams().filter_map(Stream::first_careful);
        let holds = due(&self.suspects).into_iter().chain(due(&self.waiting));
        holds.chain(slots.map(|item| (item.seq, item.key, item.turn))).min()
    }

    /// Names the event that runs alone next, or clears the one that did.
    pub(super) fn go_alone(&mut self, now: Timestamp) {
        if self.alone == Alone::Clearing && keeps(Rule::HandedIsCleared) {
            self.stored.handed = None;
        }
        let Some((seq, key, turn)) = self.alone_candidate(now).filter(|_| self.permit) else { return };
        self.begin(key);
        self.stored.handed = Some(Handed { seq, key: key.0, turn: turn.0 });
        self.alone = Alone::Handing;
    }

    /// The event that is named.
    pub(super) fn handed(&self) -> Option<(Seq, KeyId, TurnId)> {
        self.stored.handed.map(|handed| (handed.seq, KeyId(handed.key), TurnId(handed.turn)))
    }

    /// Takes back what was to run alone and has not started.
    pub(super) fn take_back_alone(&mut self) {
        if self.alone != Alone::Ready {
            return;
        }
        if let Some((_, key, _)) = self.handed() {
            self.take_back(key, true);
        }
        self.stored.handed = None;
        self.alone = Alone::Clearing;
    }
}
