use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use busway_core::{
    Error, ErrorKind, HoldRecord, KeyId, LaneCommit, LaneId, Result, Seq, SubscriptionId, TurnId, TurnRecord,
};
use tokio_postgres::types::Type;

use super::{checkpoint_row::lane, columns::column, error::corrupt, hold_changes::HoldChanges, pool::Pool};

/// What was changed of a lane's holds since its base version, oldest first, in a query that has `c` for the checkpoint.
pub(super) const CHANGES: &str = "ARRAY(SELECT h.changes FROM {schema}.hold_changes AS h
         WHERE h.subscription = c.subscription AND h.lane = c.lane AND (h.fence, h.n) >= (c.base_fence, c.base_n)
         ORDER BY h.fence, h.n)";

/// All that holds a lane's keys and tenants.
#[derive(Debug, Default)]
pub(super) struct Held {
    holds: BTreeMap<KeyId, HoldRecord>,
    turns: BTreeMap<TurnId, TurnRecord>,
}

impl Held {
    /// What changes add up to, oldest first.
    pub(super) fn of(changes: &[&[u8]]) -> Result<Self> {
        let mut held = Self::default();
        for bytes in changes {
            let changes = HoldChanges::unpack(bytes).ok_or_else(|| corrupt("changes of holds cannot be read"))?;
            held.apply(changes)?;
        }
        held.holds.values_mut().for_each(tidy);
        Ok(held)
    }

    fn apply(&mut self, changes: HoldChanges) -> Result<()> {
        for key in changes.released {
            self.holds.remove(&key);
        }
        for mut hold in changes.holds {
            match self.holds.entry(hold.key) {
                Entry::Vacant(slot) => drop(slot.insert(hold)),
                Entry::Occupied(mut known) => {
                    hold.backlog = std::mem::take(&mut known.get_mut().backlog);
                    known.insert(hold);
                }
            }
        }
        for (key, seqs) in changes.chunks {
            let hold = self.holds.get_mut(&key).ok_or_else(|| corrupt(ORPHANED).with_context("key", hex(key)))?;
            hold.backlog.extend(seqs);
        }
        for turn in changes.turns_removed {
            self.turns.remove(&turn);
        }
        self.turns.extend(changes.turns.into_iter().map(|turn| (turn.turn, turn)));
        Ok(())
    }

    /// The changes that lead here from nothing.
    pub(super) fn whole(self) -> HoldChanges {
        let (mut holds, turns) = self.into_records();
        let backlogs = holds.iter_mut().map(|hold| (hold.key, std::mem::take(&mut hold.backlog)));
        let chunks = backlogs.filter(|(_, seqs)| !seqs.is_empty()).collect();
        HoldChanges { holds, chunks, turns, ..HoldChanges::default() }
    }

    /// The holds by key, with their backlogs, and the tenant holds.
    pub(super) fn into_records(self) -> (Vec<HoldRecord>, Vec<TurnRecord>) {
        (self.holds.into_values().collect(), self.turns.into_values().collect())
    }

    /// How many holds there are, and the least seq that one of them or a tenant hold still needs.
    fn count(&self) -> (u64, Seq) {
        let holds = self.holds.values().map(HoldRecord::needs);
        let turns = self.turns.values().map(|turn| turn.position.saturating_add(1));
        (self.holds.len() as u64, holds.chain(turns).min().unwrap_or(Seq::MAX))
    }
}

/// Leaves of a backlog what is not settled, ascending.
fn tidy(hold: &mut HoldRecord) {
    let done = hold.done;
    hold.backlog.retain(|seq| *seq > done);
    if !hold.backlog.is_sorted_by(|a, b| a < b) {
        hold.backlog.sort_unstable();
        hold.backlog.dedup();
    }
}

const ORPHANED: &str = "a commit remembers seqs for a key that has no hold";

/// Fails if the commit remembers seqs for a key whose hold it removes: they would be lost.
pub(super) fn check_chunks(commit: &LaneCommit) -> Result<()> {
    let written: BTreeSet<KeyId> = commit.holds.iter().map(|hold| hold.key).collect();
    let goes = |key| (commit.clear || commit.released.contains(key)) && !written.contains(key);
    match commit.chunks.iter().find(|(key, _)| goes(key)) {
        Some((key, _)) => Err(Error::new(ErrorKind::Internal, ORPHANED).with_context("key", hex(*key))),
        None => Ok(()),
    }
}

fn hex(key: KeyId) -> String {
    format!("{:x}", key.0)
}

/// How many holds each lane of a subscription has, and the least seq that a hold or a tenant hold still needs.
pub(super) async fn counts(pool: &Pool, subscription: SubscriptionId) -> Result<Vec<(LaneId, u64, Seq)>> {
    let sql = format!("SELECT c.lane, {CHANGES} FROM {{schema}}.newest_checkpoints($1) AS c");
    let rows = pool.read(&sql, &[(&subscription.0, Type::UUID)]).await?;
    let counts = rows.iter().map(|row| {
        let (count, needed) = Held::of(&column::<Vec<&[u8]>>(row, 1)?)?.count();
        Ok((lane(row, 0)?, count, needed))
    });
    counts.collect()
}

#[cfg(test)]
mod tests;
