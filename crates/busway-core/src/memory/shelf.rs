use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
};

use uuid::Uuid;

use super::{dead_letters::DeadLetters, lane::Lane};
use crate::{
    Checkpoint, CommitOutcome, Error, ErrorKind, LaneCommit, LaneId, LaneRecord, MemberId, MemberRecord,
    OperationRecord, OperationState, Request, RequestKind, Result, Seq, SubscriptionId, SubscriptionRecord,
};

/// Operations that have ended and are still shown.
const ENDED_OPERATIONS: usize = 1_000;

/// Everything that is kept of subscriptions.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    pub(super) subscriptions: BTreeMap<SubscriptionId, Subscription>,
    pub(super) dead: DeadLetters,
    pub(super) requests: BTreeMap<u64, Request>,
    pub(super) members: BTreeMap<MemberId, MemberRecord>,
    pub(super) operations: BTreeMap<Uuid, OperationRecord>,
    pub(super) changes: u64,
    leases: HashMap<String, (MemberId, u64)>,
    last_request: u64,
}

#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) record: SubscriptionRecord,
    pub(super) lanes: Vec<Lane>,
}

impl Subscription {
    pub(super) fn lanes(&self) -> impl Iterator<Item = (LaneId, &Lane)> {
        (0..).map(LaneId).zip(&self.lanes)
    }
}

impl Shelf {
    pub(super) fn save_subscription(
        &mut self,
        record: &SubscriptionRecord,
        expected: Option<u64>,
        start: &[Seq],
    ) -> bool {
        let stored = self.subscriptions.get(&record.id).map(|stored| stored.record.version);
        if stored != expected || (stored.is_none() && record.replay.is_none() && self.is_taken(record)) {
            return false;
        }
        match self.subscriptions.get_mut(&record.id) {
            Some(stored) => stored.record = record.clone(),
            None => {
                let lanes = start.iter().map(|seq| Lane::starting(Checkpoint::starting(*seq, record.revision)));
                let made = Subscription { record: record.clone(), lanes: lanes.collect() };
                self.subscriptions.insert(record.id, made);
            }
        }
        self.changes += 1;
        true
    }

    fn is_taken(&self, record: &SubscriptionRecord) -> bool {
        let mut records = self.subscriptions.values().map(|stored| &stored.record);
        records.any(|stored| stored.replay.is_none() && stored.owner == record.owner && stored.name == record.name)
    }

    pub(super) fn remove_subscription(&mut self, id: SubscriptionId, keep_dead_letters: bool) -> bool {
        if self.subscriptions.remove(&id).is_none() {
            return false;
        }
        self.requests.retain(|_, request| request.subscription != id);
        if !keep_dead_letters {
            self.dead.remove_all(id);
        }
        self.changes += 1;
        true
    }

    fn lane(&self, subscription: SubscriptionId, lane: LaneId) -> Option<&Lane> {
        self.subscriptions.get(&subscription)?.lanes.get(usize::from(lane.0))
    }

    pub(super) fn lane_record(&self, subscription: SubscriptionId, id: LaneId) -> Option<LaneRecord> {
        let lane = self.lane(subscription, id)?;
        let asked = self.requests.values().filter(|request| request.subscription == subscription && request.lane == id);
        Some(LaneRecord {
            checkpoint: lane.checkpoint.clone(),
            holds: lane.holds(),
            turns: lane.turns(),
            dead: self.dead.seqs(subscription, id),
            requests: asked.cloned().collect(),
        })
    }

    pub(super) fn commit(&mut self, mut commit: LaneCommit) -> Result<CommitOutcome> {
        let (id, lane_id) = (commit.subscription, commit.lane);
        let subscription = self.subscriptions.get_mut(&id);
        let Some(lane) = subscription.and_then(|stored| stored.lanes.get_mut(usize::from(lane_id.0))) else {
            return Ok(CommitOutcome::Fenced(None));
        };
        if let Some(refusal) = lane.refusal(&commit) {
            return Ok(refusal);
        }
        lane.check_chunks(&commit)?;
        for seq in std::mem::take(&mut commit.buried) {
            self.dead.remove((id, lane_id, seq));
        }
        for letter in std::mem::take(&mut commit.dead) {
            self.dead.write(letter);
        }
        for request in std::mem::take(&mut commit.requests) {
            self.requests.remove(&request);
        }
        lane.apply(commit);
        Ok(CommitOutcome::Done)
    }

    pub(super) fn request(&mut self, subscription: SubscriptionId, lane: LaneId, kind: RequestKind) -> Result<u64> {
        if self.lane(subscription, lane).is_none() {
            let missing = Error::new(ErrorKind::NotFound, "the subscription or its lane is gone");
            return Err(missing.with_context("subscription", subscription).with_context("lane", lane));
        }
        self.last_request += 1;
        self.changes += 1;
        let id = self.last_request;
        self.requests.insert(id, Request { id, subscription, lane, kind });
        Ok(id)
    }

    /// Removes a dead letter that nobody's lane answers for any more.
    pub(super) fn drop_dead_letter(&mut self, id: u64) -> bool {
        match self.dead.get(id) {
            Some(letter) if !self.subscriptions.contains_key(&letter.subscription) => {
                self.dead.remove_id(id);
                true
            }
            _ => false,
        }
    }

    pub(super) fn save_operation(&mut self, operation: &OperationRecord, expected: Option<u64>) -> bool {
        if self.operations.get(&operation.id).map(|stored| stored.version) != expected {
            return false;
        }
        self.operations.insert(operation.id, operation.clone());
        let ended = self.operations.values().filter(|stored| stored.state != OperationState::Running);
        let mut ended: Vec<_> = ended.map(|stored| (Reverse(stored.ended_at), stored.id)).collect();
        ended.sort_unstable();
        for (_, oldest) in ended.into_iter().skip(ENDED_OPERATIONS) {
            self.operations.remove(&oldest);
        }
        true
    }

    pub(super) fn lease(&mut self, name: &str, member: MemberId, stale: Option<(MemberId, u64)>) -> (MemberId, u64) {
        let held = self.leases.entry(name.to_owned()).or_insert((member, 0));
        if held.0 == member || stale == Some(*held) {
            *held = (member, held.1 + 1);
        }
        *held
    }
}
