use std::collections::{BTreeMap, BTreeSet, btree_map};

use crate::{
    Checkpoint, CommitOutcome, Error, ErrorKind, HoldRecord, KeyId, LaneCommit, Result, Seq, TurnId, TurnRecord,
};

/// One lane of one subscription; its dead letters and requests stand elsewhere.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) checkpoint: Checkpoint,
    holds: BTreeMap<KeyId, Hold>,
    turns: BTreeMap<TurnId, TurnRecord>,
}

/// A hold, its backlog beside the record.
#[derive(Debug)]
struct Hold {
    record: HoldRecord,
    backlog: BTreeSet<Seq>,
}

impl Lane {
    pub(super) fn starting(checkpoint: Checkpoint) -> Self {
        Self { checkpoint, holds: BTreeMap::new(), turns: BTreeMap::new() }
    }

    /// What the commit meets: `None` if it may be applied.
    pub(super) fn refusal(&self, commit: &LaneCommit) -> Option<CommitOutcome> {
        let Checkpoint { version, written_by, .. } = self.checkpoint;
        if version == commit.expected {
            None
        } else if version == commit.checkpoint.version && written_by == commit.checkpoint.written_by {
            Some(CommitOutcome::Done)
        } else {
            Some(CommitOutcome::Fenced(Some(version)))
        }
    }

    /// Fails if the commit remembers seqs for a key that would have no hold: they would be lost.
    pub(super) fn check_chunks(&self, commit: &LaneCommit) -> Result<()> {
        let written: BTreeSet<KeyId> = commit.holds.iter().map(|hold| hold.key).collect();
        let released: BTreeSet<KeyId> = commit.released.iter().copied().collect();
        let stays = |key| !commit.clear && self.holds.contains_key(key) && !released.contains(key);
        match commit.chunks.iter().find(|(key, _)| !written.contains(key) && !stays(key)) {
            Some((key, _)) => {
                let detail = "a commit remembers seqs for a key that has no hold";
                Err(Error::new(ErrorKind::Internal, detail).with_context("key", format!("{:x}", key.0)))
            }
            None => Ok(()),
        }
    }

    pub(super) fn apply(&mut self, commit: LaneCommit) {
        if commit.clear {
            self.holds.clear();
            self.turns.clear();
        }
        for key in commit.released {
            self.holds.remove(&key);
        }
        for record in commit.holds {
            match self.holds.entry(record.key) {
                btree_map::Entry::Vacant(slot) => {
                    slot.insert(Hold { record, backlog: BTreeSet::new() });
                }
                btree_map::Entry::Occupied(mut hold) => hold.get_mut().rewrite(record),
            }
        }
        for (key, seqs) in commit.chunks {
            if let Some(hold) = self.holds.get_mut(&key) {
                let done = hold.record.done;
                hold.backlog.extend(seqs.into_iter().filter(|seq| *seq > done));
            }
        }
        for turn in commit.turns_removed {
            self.turns.remove(&turn);
        }
        for turn in commit.turns {
            self.turns.insert(turn.turn, turn);
        }
        self.checkpoint = commit.checkpoint;
    }

    pub(super) fn holds(&self) -> Vec<HoldRecord> {
        self.holds.values().map(Hold::loaded).collect()
    }

    pub(super) fn turns(&self) -> Vec<TurnRecord> {
        self.turns.values().cloned().collect()
    }

    pub(super) fn hold_count(&self) -> u64 {
        self.holds.len() as u64
    }

    /// The least seq that a hold or a tenant hold still needs.
    pub(super) fn needs(&self) -> Seq {
        let holds = self.holds.values().map(Hold::needs);
        let turns = self.turns.values().map(|turn| turn.position.saturating_add(1));
        holds.chain(turns).min().unwrap_or(Seq::MAX)
    }
}

impl Hold {
    fn rewrite(&mut self, record: HoldRecord) {
        while self.backlog.first().is_some_and(|seq| *seq <= record.done) {
            self.backlog.pop_first();
        }
        self.record = record;
    }

    fn loaded(&self) -> HoldRecord {
        HoldRecord { backlog: self.backlog.iter().copied().collect(), ..self.record.clone() }
    }

    fn needs(&self) -> Seq {
        self.record.head.or(self.backlog.first().copied()).unwrap_or(Seq::MAX)
    }
}
