//! The least store that is exact: one lane of one subscription.

use std::collections::{BTreeMap, BTreeSet};

use busway_core::{
    Checkpoint, HoldRecord, HoldState, KeyId, LaneId, LaneRecord, Request, RequestKind, Seq, SubscriptionId, TenantId,
    TurnId, TurnRecord,
};
use uuid::Uuid;

use super::{super::Plan, explore::Violation};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Store {
    pub(super) checkpoint: Checkpoint,
    pub(super) holds: BTreeMap<KeyId, HoldRecord>,
    /// Position and probation of each held tenant.
    pub(super) turns: BTreeMap<TurnId, (Seq, Seq)>,
    pub(super) dead: BTreeSet<Seq>,
    pub(super) requests: Vec<Request>,
    last_request: u64,
    /// Everything up to here is gone from the log.
    pub(super) pruned: Seq,
}

impl Store {
    pub(super) fn new() -> Self {
        Self {
            checkpoint: Checkpoint::starting(0, 1),
            holds: BTreeMap::new(),
            turns: BTreeMap::new(),
            dead: BTreeSet::new(),
            requests: Vec::new(),
            last_request: 0,
            pruned: 0,
        }
    }

    pub(super) fn ask(&mut self, kind: RequestKind) {
        self.last_request += 1;
        let subscription = SubscriptionId(Uuid::nil());
        self.requests.push(Request { id: self.last_request, subscription, lane: LaneId(0), kind });
    }

    pub(super) fn record(&self) -> LaneRecord {
        let tenant: TenantId = "t".parse().expect("a tenant");
        let turn = |(turn, (position, probation)): (&TurnId, &(Seq, Seq))| TurnRecord {
            turn: *turn,
            tenant: tenant.clone(),
            position: *position,
            probation: *probation,
        };
        LaneRecord {
            checkpoint: self.checkpoint.clone(),
            holds: self.holds.values().cloned().collect(),
            turns: self.turns.iter().map(turn).collect(),
            dead: self.dead.iter().copied().collect(),
            requests: self.requests.clone(),
        }
    }

    /// True if the commit is stored, now or since before.
    pub(super) fn commit(&mut self, plan: &Plan) -> Result<bool, Violation> {
        let Checkpoint { version, written_by, .. } = self.checkpoint;
        if version != plan.expected {
            return Ok(version == plan.checkpoint.version && written_by == plan.checkpoint.written_by);
        }
        if plan.clear {
            self.holds.clear();
            self.turns.clear();
        }
        for key in &plan.released {
            self.holds.remove(key);
        }
        for record in &plan.holds {
            let mut backlog = self.holds.remove(&record.key).map(|hold| hold.backlog).unwrap_or_default();
            backlog.retain(|seq| *seq > record.done);
            self.holds.insert(record.key, HoldRecord { backlog, ..record.clone() });
        }
        for (key, seqs) in &plan.chunks {
            let hold = self.holds.get_mut(key).ok_or("seqs are remembered for a key that has no hold")?;
            hold.backlog.extend(seqs.iter().filter(|seq| **seq > hold.done));
            if !hold.backlog.is_sorted() {
                return Err("a backlog is out of order");
            }
        }
        for turn in &plan.turns_removed {
            self.turns.remove(turn);
        }
        for (turn, position, probation) in &plan.turns {
            self.turns.insert(*turn, (*position, *probation));
        }
        self.dead.extend(plan.dead.iter().map(|dead| dead.seq));
        for seq in &plan.buried {
            self.dead.remove(seq);
        }
        self.requests.retain(|request| !plan.requests.contains(&request.id));
        self.checkpoint = plan.checkpoint.clone();
        Ok(true)
    }

    /// True if the event is still to be handled, as far as the store shows. A dead letter settles a hold's head.
    pub(super) fn owes(&self, seq: Seq, key: KeyId, turn: TurnId) -> bool {
        let position = self.turns.get(&turn).map_or(self.checkpoint.position, |(position, _)| *position);
        let unread = seq > position;
        let Some(hold) = self.holds.get(&key) else { return unread };
        match hold.head == Some(seq) {
            true => !self.dead.contains(&seq),
            false => seq > hold.done && (unread || hold.backlog.contains(&seq)),
        }
    }

    /// The least seq that is still needed: see rule 13.
    pub(super) fn needs(&self) -> Seq {
        let position = self.checkpoint.position + 1;
        let turns = self.turns.values().map(|(position, _)| position + 1);
        self.holds.values().map(HoldRecord::needs).chain(turns).fold(position, Seq::min)
    }

    pub(super) fn is_blocked(&self, key: KeyId) -> bool {
        self.holds.get(&key).is_some_and(|hold| hold.state == HoldState::Blocked)
    }
}
