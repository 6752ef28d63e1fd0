use std::collections::VecDeque;

use super::rule::{Rule, keeps};
use busway_core::{DeadCause, Failure, HoldRecord, HoldState, KeyId, Seq, Timestamp, TurnId};

/// Failures that a hold remembers.
const MAX_FAILURES: usize = 10;

/// What a hold waits for, as its holder sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Phase {
    /// For its time, for room among the armed, or for its turn alone.
    Waiting,
    /// For the commit that stores its run.
    Arming,
    /// For a free slot.
    Ready,
    /// For its handler.
    Running,
    /// For its puller, until `due`.
    Leased,
    /// For the commit that stores its dead letter.
    Dying(DeadCause),
    /// For someone to decide.
    Blocked,
    /// For the position: nothing of the key is left.
    Spent,
}

/// One key that waits while the position moves on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Hold {
    pub(super) key: KeyId,
    pub(super) turn: TurnId,
    /// Everything of the key up to here is settled.
    pub(super) done: Seq,
    pub(super) head: Option<Seq>,
    pub(super) again: Option<Seq>,
    pub(super) phase: Phase,
    /// Its next run is alone.
    pub(super) suspect: bool,
    /// Up to here every run of it is alone.
    pub(super) alone_until: Seq,
    pub(super) attempt: u32,
    pub(super) due: Timestamp,
    /// Leased: the number that a settlement must bear.
    pub(super) fence: u64,
    /// Leased: the last event of the lease.
    pub(super) last: Seq,
    pub(super) failures: Vec<Failure>,
    /// Later events of the key, ascending.
    pub(super) backlog: VecDeque<Seq>,
    /// How much of the backlog the store has.
    pub(super) backlog_stored: Seq,
    /// The store has it.
    pub(super) stored: bool,
    /// Its head has a dead letter.
    pub(super) letter: bool,
}

impl Hold {
    /// Of an event in the window that is not settled.
    pub(super) fn of(key: KeyId, turn: TurnId, seq: Seq, phase: Phase) -> Self {
        Self {
            key,
            turn,
            done: seq - 1,
            head: Some(seq),
            again: None,
            phase,
            suspect: false,
            alone_until: 0,
            attempt: 1,
            due: Timestamp::default(),
            fence: 0,
            last: 0,
            failures: Vec::new(),
            backlog: VecDeque::new(),
            backlog_stored: 0,
            stored: false,
            letter: false,
        }
    }

    /// Of a key that is settled up to `done` and waits to go on.
    pub(super) fn resting(key: KeyId, turn: TurnId, done: Seq) -> Self {
        Self { head: None, attempt: 0, ..Self::of(key, turn, done + 1, Phase::Waiting) }
    }

    /// As the store has it.
    pub(super) fn from_record(record: &HoldRecord, letter: bool) -> Self {
        let later = |seq: &&Seq| **seq > record.done && Some(**seq) != record.head;
        Self {
            key: record.key,
            turn: record.turn,
            done: record.done,
            head: record.head,
            again: record.again,
            phase: match record.state {
                HoldState::Waiting | HoldState::Suspect => Phase::Waiting,
                HoldState::Leased => Phase::Leased,
                HoldState::Running => Phase::Running,
                HoldState::Blocked => Phase::Blocked,
            },
            suspect: record.state == HoldState::Suspect,
            alone_until: 0,
            attempt: record.attempt,
            due: record.due,
            fence: record.fence,
            last: record.last,
            failures: record.failures.clone(),
            backlog: record.backlog.iter().filter(later).copied().collect(),
            backlog_stored: record.backlog.last().copied().unwrap_or(0),
            stored: true,
            letter,
        }
    }

    /// As it is to be stored.
    pub(super) fn to_record(&self) -> HoldRecord {
        if self.phase == Phase::Arming && !keeps(Rule::RunIsStored) {
            return Self { phase: Phase::Waiting, attempt: self.attempt - 1, ..self.clone() }.to_record();
        }
        HoldRecord {
            key: self.key,
            turn: self.turn,
            done: self.done,
            head: self.head.filter(|_| self.phase != Phase::Arming || keeps(Rule::HeadIsStored)),
            again: self.again,
            state: match self.phase {
                Phase::Waiting if self.suspect => HoldState::Suspect,
                Phase::Waiting | Phase::Dying(_) | Phase::Spent => HoldState::Waiting,
                Phase::Arming | Phase::Ready | Phase::Running => HoldState::Running,
                Phase::Leased => HoldState::Leased,
                Phase::Blocked => HoldState::Blocked,
            },
            attempt: self.attempt,
            due: self.due,
            fence: self.fence,
            last: self.last,
            failures: self.failures.clone(),
            backlog: Vec::new(),
        }
    }

    /// Remembers a later event of the key; false if it was known.
    pub(super) fn observe(&mut self, seq: Seq) -> bool {
        let known = seq <= self.done || self.head.is_some_and(|head| seq <= head);
        if known || self.backlog.back().is_some_and(|last| seq <= *last) {
            return false;
        }
        self.backlog.push_back(seq);
        true
    }

    /// The event to run: the dead letter that is asked for, else the head, else the next.
    pub(super) fn target(&self) -> Seq {
        self.again.or(self.head).or(self.backlog.front().copied()).unwrap_or(0)
    }

    /// True if something of the key is left.
    pub(super) fn is_pending(&self) -> bool {
        self.again.is_some() || self.head.is_some() || !self.backlog.is_empty()
    }

    /// Makes the next event the head, if there is none, and counts a run as begun.
    pub(super) fn begin(&mut self) {
        if self.again.is_none() && self.head.is_none() {
            self.head = self.backlog.pop_front();
        }
        self.attempt += 1;
        self.due = Timestamp::default();
        self.phase = Phase::Arming;
    }

    /// The run that was begun is none.
    pub(super) fn take_back(&mut self, suspect: bool) {
        self.attempt = self.attempt.saturating_sub(1);
        self.phase = Phase::Waiting;
        self.suspect = suspect;
    }

    /// The event that ran is settled.
    pub(super) fn finish(&mut self) {
        if self.again.take().is_none() {
            self.done = self.head.take().unwrap_or(self.done);
            self.letter = false;
        }
        self.attempt = 0;
        self.suspect = false;
        self.failures.clear();
        self.due = Timestamp::default();
        self.rest();
    }

    /// Waits for what comes next of the key, or for the position.
    pub(super) fn rest(&mut self) {
        self.phase = if self.is_pending() { Phase::Waiting } else { Phase::Spent };
    }

    pub(super) fn fail(&mut self, at: Timestamp, error: std::sync::Arc<str>) {
        if self.failures.len() == MAX_FAILURES {
            // The first tells when it began, so it stays.
            self.failures.remove(1);
        }
        self.failures.push(Failure { at, error });
    }

    /// Seqs of the backlog up to `position` that the store does not have yet.
    pub(super) fn unstored(&mut self, position: Seq) -> Vec<Seq> {
        let from = self.backlog.partition_point(|seq| *seq <= self.backlog_stored);
        let to = self.backlog.partition_point(|seq| *seq <= position);
        if from >= to {
            return Vec::new();
        }
        let seqs: Vec<Seq> = self.backlog.range(from..to).copied().collect();
        self.backlog_stored = seqs[seqs.len() - 1];
        seqs
    }

    /// True if the backlog has seqs that the store does not have.
    pub(super) fn is_growing(&self) -> bool {
        self.backlog.back().is_some_and(|last| *last > self.backlog_stored)
    }
}
