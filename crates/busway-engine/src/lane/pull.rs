//! The rules of a lane in mode `pull`: nobody holds it. Each call reads the lane, decides here, and commits on
//! the lane's version; refused, it starts again. Nothing is in a window: the position passes everything that
//! was read, and what is not settled is in a hold.

use std::collections::{BTreeMap, BTreeSet};

use busway_core::{
    Checkpoint, DeadCause, KeyId, LaneRecord, OnDead, Request, RequestKind, Segment, Seq, Timestamp, TurnId,
};

use super::{
    DeadPlan, Item, Plan, Policy,
    hold::{Hold, Phase},
};

/// Events of one key that one lease hands out at most.
const RUN: usize = 100;

/// One event leased to a puller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Lease {
    pub(crate) seq: Seq,
    pub(crate) key: KeyId,
    pub(crate) attempt: u32,
    pub(crate) fence: u64,
    pub(crate) ends: Timestamp,
    /// It is a dead letter's.
    pub(crate) again: bool,
}

/// What a puller says of one event.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Settling {
    Ack,
    /// Tried again at `due`, by the policy if `None`.
    Retry {
        due: Option<Timestamp>,
        error: std::sync::Arc<str>,
    },
    Dead {
        cause: DeadCause,
        error: std::sync::Arc<str>,
    },
    Extend {
        until: Timestamp,
    },
}

/// A lane in mode `pull`, as it is stored, and what a call changes of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PullLane {
    checkpoint: Checkpoint,
    holds: BTreeMap<KeyId, Hold>,
    /// Holds that wait or are leased, by when they are due or their lease ends.
    due: BTreeSet<(Timestamp, KeyId)>,
    dead: BTreeSet<Seq>,
    requests: Vec<Request>,
    changed: BTreeSet<KeyId>,
    released: BTreeSet<KeyId>,
    died: Vec<DeadPlan>,
    buried: Vec<Seq>,
    struck: Vec<u64>,
    clear: bool,
}

impl PullLane {
    pub(crate) fn of(record: &LaneRecord) -> Self {
        let dead: BTreeSet<Seq> = record.dead.iter().copied().collect();
        let mut lane = Self {
            checkpoint: record.checkpoint.clone(),
            holds: BTreeMap::new(),
            due: BTreeSet::new(),
            requests: record.requests.clone(),
            changed: BTreeSet::new(),
            released: BTreeSet::new(),
            died: Vec::new(),
            buried: Vec::new(),
            struck: Vec::new(),
            clear: false,
            dead,
        };
        for hold in &record.holds {
            let letter = hold.head.is_some_and(|head| lane.dead.contains(&head));
            lane.put(Hold::from_record(hold, letter));
        }
        lane.changed.clear();
        lane
    }

    pub(crate) fn position(&self) -> Seq {
        self.checkpoint.position
    }

    pub(crate) fn segments(&self) -> &[Segment] {
        &self.checkpoint.segments
    }

    pub(crate) fn held(&self) -> usize {
        self.holds.len()
    }

    /// Events that are leased and not settled.
    pub(crate) fn leased(&self, now: Timestamp) -> u64 {
        let leased = self.holds.values().filter(|hold| hold.phase == Phase::Leased && hold.due > now);
        leased.map(|hold| 1 + hold.backlog.iter().take_while(|seq| **seq <= hold.last).count() as u64).sum()
    }

    /// When the next hold is due or the next lease ends.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.due.first().map(|(due, _)| *due)
    }

    /// True if something is asked of the lane that could not be carried out yet.
    pub(crate) fn is_asked(&self) -> bool {
        !self.requests.is_empty()
    }

    fn fence(&self) -> u64 {
        self.checkpoint.version.n + 1
    }

    fn put(&mut self, hold: Hold) {
        let key = hold.key;
        if matches!(hold.phase, Phase::Waiting | Phase::Leased) {
            self.due.insert((hold.due, key));
        }
        self.changed.insert(key);
        self.released.remove(&key);
        self.holds.insert(key, hold);
    }

    fn take(&mut self, key: KeyId) -> Option<Hold> {
        let hold = self.holds.remove(&key)?;
        self.due.remove(&(hold.due, key));
        Some(hold)
    }

    /// Puts a hold back whose head is settled: the next of its key is due, or the hold goes.
    fn go_on(&mut self, mut hold: Hold, now: Timestamp) {
        if hold.is_pending() {
            hold.phase = Phase::Waiting;
            hold.due = now;
            return self.put(hold);
        }
        self.changed.remove(&hold.key);
        if hold.stored {
            self.released.insert(hold.key);
        }
    }

    /// Leases what is due, up to `max` events, for `timeout` each.
    pub(crate) fn lease_due(&mut self, now: Timestamp, max: usize, ends: Timestamp, policy: Policy) -> Vec<Lease> {
        let mut leases = Vec::new();
        while leases.len() < max {
            let Some(&(due, key)) = self.due.first() else { break };
            if due > now {
                break;
            }
            let Some(mut hold) = self.take(key) else { break };
            if hold.phase == Phase::Leased {
                self.checkpoint.failed += 1;
                hold.fail(now, "its lease ended without a settlement".into());
                if hold.attempt >= policy.attempts {
                    self.die(hold, DeadCause::Attempts, now, policy);
                    continue;
                }
            }
            self.lease(hold, ends, max - leases.len(), &mut leases);
        }
        leases
    }

    fn lease(&mut self, mut hold: Hold, ends: Timestamp, max: usize, leases: &mut Vec<Lease>) {
        hold.begin();
        hold.phase = Phase::Leased;
        hold.due = ends;
        hold.fence = self.fence();
        let again = hold.again.is_some() || hold.letter;
        let lease = Lease { seq: hold.target(), key: hold.key, attempt: hold.attempt, fence: hold.fence, ends, again };
        leases.push(lease);
        hold.last = lease.seq;
        if hold.attempt == 1 && !again {
            for seq in hold.backlog.iter().take(max.min(RUN) - 1) {
                leases.push(Lease { seq: *seq, attempt: 1, ..lease });
                hold.last = *seq;
            }
        }
        self.put(hold);
    }

    /// Takes in what was read after the position: up to `max` events of free keys are leased, those of held
    /// keys are remembered. The position moves to what was taken in, all of it up to `looked`.
    pub(crate) fn lease_new(&mut self, items: &[Item], looked: Seq, max: usize, ends: Timestamp) -> Vec<Lease> {
        let mut leases = Vec::new();
        let mut position = looked;
        let fence = self.fence();
        for item in items {
            if let Some(hold) = self.holds.get_mut(&item.key) {
                let joins = hold.phase == Phase::Leased
                    && hold.fence == fence
                    && hold.attempt == 1
                    && hold.due == ends
                    && hold.again.is_none()
                    && !hold.letter
                    && hold.backlog.back().is_none_or(|last| *last == hold.last);
                if joins && leases.len() >= max {
                    position = item.seq - 1;
                    break;
                }
                if hold.observe(item.seq) {
                    self.changed.insert(item.key);
                    if joins {
                        hold.last = item.seq;
                        leases.push(Lease { seq: item.seq, key: item.key, attempt: 1, fence, ends, again: false });
                    }
                }
                continue;
            }
            if leases.len() >= max {
                position = item.seq - 1;
                break;
            }
            let mut hold = Hold::of(item.key, item.turn, item.seq, Phase::Leased);
            hold.due = ends;
            hold.fence = fence;
            hold.last = item.seq;
            leases.push(Lease { seq: item.seq, key: item.key, attempt: 1, fence, ends, again: false });
            self.put(hold);
        }
        self.checkpoint.position = self.checkpoint.position.max(position);
        leases
    }

    /// Settles one event; false if it is not the caller's any more, or not the first unsettled of its key.
    /// `backoff` tells when an event is due again after that many attempts.
    pub(crate) fn settle(
        &mut self,
        (key, seq, fence): (KeyId, Seq, u64),
        settling: Settling,
        now: Timestamp,
        policy: Policy,
        backoff: impl Fn(u32) -> Timestamp,
    ) -> bool {
        let extends = matches!(settling, Settling::Extend { .. });
        let valid = self.holds.get(&key).is_some_and(|hold| {
            let leased = hold.phase == Phase::Leased && hold.fence == fence;
            let first = hold.target() == seq;
            leased && (first || (extends && seq <= hold.last && hold.backlog.binary_search(&seq).is_ok()))
        });
        if !valid {
            return false;
        }
        let Some(mut hold) = self.take(key) else { return false };
        match settling {
            Settling::Extend { until } => {
                hold.due = until;
                self.put(hold);
            }
            Settling::Ack => {
                self.checkpoint.delivered += 1;
                if hold.again.is_some() || hold.letter {
                    self.dead.remove(&seq);
                    self.buried.push(seq);
                }
                let (ends, last) = (hold.due, hold.last);
                hold.finish();
                if hold.backlog.front().is_some_and(|next| *next <= last) {
                    hold.begin();
                    hold.phase = Phase::Leased;
                    hold.due = ends;
                    self.put(hold);
                } else {
                    self.go_on(hold, now);
                }
            }
            Settling::Retry { due, error } => {
                self.checkpoint.failed += 1;
                hold.fail(now, error);
                if hold.attempt >= policy.attempts {
                    self.die(hold, DeadCause::Attempts, now, policy);
                } else {
                    hold.phase = Phase::Waiting;
                    hold.due = due.unwrap_or_else(|| backoff(hold.attempt));
                    self.put(hold);
                }
            }
            Settling::Dead { cause, error } => {
                self.checkpoint.failed += 1;
                hold.fail(now, error);
                self.die(hold, cause, now, policy);
            }
        }
        true
    }

    fn die(&mut self, mut hold: Hold, cause: DeadCause, now: Timestamp, policy: Policy) {
        let seq = hold.target();
        let failures = hold.failures.clone();
        self.died.push(DeadPlan { seq, key: hold.key, attempts: hold.attempt, cause, failures });
        self.dead.insert(seq);
        if policy.on_dead == OnDead::Block && hold.again.is_none() {
            hold.phase = Phase::Blocked;
            hold.letter = true;
            self.put(hold);
        } else {
            hold.finish();
            self.go_on(hold, now);
        }
    }

    /// Carries out what is asked and possible now.
    pub(crate) fn carry_out(&mut self, now: Timestamp) {
        for request in std::mem::take(&mut self.requests) {
            let done = match request.kind {
                RequestKind::Retry { seq, key, turn } => self.retry_dead(seq, KeyId(key), TurnId(turn), now),
                RequestKind::Discard { seq, key } => self.discard_dead(seq, KeyId(key), now),
                RequestKind::Seek { to } => {
                    self.seek(to);
                    true
                }
                RequestKind::Redefine { revision, end } => {
                    self.redefine(revision, end);
                    true
                }
            };
            if done {
                self.struck.push(request.id);
            } else {
                self.requests.push(request);
            }
        }
    }

    fn retry_dead(&mut self, seq: Seq, key: KeyId, turn: TurnId, now: Timestamp) -> bool {
        if !self.dead.contains(&seq) {
            return true;
        }
        let mut hold = match self.holds.get(&key) {
            Some(hold) => {
                let blocked = hold.phase == Phase::Blocked && hold.head == Some(seq);
                let free = hold.phase == Phase::Waiting && hold.again.is_none() && hold.attempt == 0;
                if !blocked && !free {
                    return hold.again == Some(seq) || (hold.letter && hold.head == Some(seq));
                }
                match self.take(key) {
                    Some(hold) => hold,
                    None => return true,
                }
            }
            None => {
                let mut hold = Hold::of(key, turn, seq, Phase::Waiting);
                hold.done = self.checkpoint.position.max(seq);
                hold.head = None;
                hold
            }
        };
        if hold.head != Some(seq) {
            hold.again = Some(seq);
        }
        hold.attempt = 0;
        hold.failures.clear();
        hold.phase = Phase::Waiting;
        hold.due = now;
        self.put(hold);
        true
    }

    fn discard_dead(&mut self, seq: Seq, key: KeyId, now: Timestamp) -> bool {
        if !self.dead.contains(&seq) {
            return true;
        }
        let concerned =
            self.holds.get(&key).map(|hold| (hold.again == Some(seq) || hold.head == Some(seq), hold.phase));
        match concerned {
            Some((true, Phase::Leased)) => return false,
            Some((true, _)) => {
                if let Some(mut hold) = self.take(key) {
                    hold.finish();
                    self.go_on(hold, now);
                }
            }
            _ => {}
        }
        self.dead.remove(&seq);
        self.buried.push(seq);
        true
    }

    fn seek(&mut self, to: Seq) {
        self.checkpoint.position = to;
        let revision = self.checkpoint.segments.last().map_or(1, |segment| segment.revision);
        self.checkpoint.segments = vec![Segment { from: 0, revision }];
        self.holds.clear();
        self.due.clear();
        self.changed.clear();
        self.released.clear();
        self.clear = true;
    }

    fn redefine(&mut self, revision: u64, end: Seq) {
        if self.checkpoint.segments.last().is_none_or(|segment| segment.revision < revision) {
            let cut = end.max(self.checkpoint.position);
            self.checkpoint.segments.push(Segment { from: cut + 1, revision });
        }
    }

    /// The change of this call, if it made one; `before` is the position that is stored.
    pub(crate) fn plan(&mut self, before: Seq, token: u64) -> Option<Plan> {
        let nothing = self.changed.is_empty()
            && self.released.is_empty()
            && self.died.is_empty()
            && self.buried.is_empty()
            && self.struck.is_empty()
            && !self.clear
            && self.checkpoint.position == before;
        if nothing {
            return None;
        }
        let expected = self.checkpoint.version;
        self.checkpoint.version = expected.next();
        self.checkpoint.written_by = token;
        let next = self.checkpoint.position + 1;
        let keep = self.checkpoint.segments.iter().rposition(|segment| segment.from <= next).unwrap_or(0);
        self.checkpoint.segments.drain(..keep);
        let mut holds = Vec::with_capacity(self.changed.len());
        let mut chunks = Vec::new();
        for key in std::mem::take(&mut self.changed) {
            let Some(hold) = self.holds.get_mut(&key) else { continue };
            let seqs = hold.unstored(self.checkpoint.position);
            if !seqs.is_empty() {
                chunks.push((key, seqs));
            }
            hold.stored = true;
            holds.push(hold.to_record());
        }
        Some(Plan {
            expected,
            checkpoint: self.checkpoint.clone(),
            holds,
            released: std::mem::take(&mut self.released).into_iter().collect(),
            chunks,
            turns: Vec::new(),
            turns_removed: Vec::new(),
            dead: std::mem::take(&mut self.died),
            buried: std::mem::take(&mut self.buried),
            requests: std::mem::take(&mut self.struck),
            clear: std::mem::take(&mut self.clear),
        })
    }
}
