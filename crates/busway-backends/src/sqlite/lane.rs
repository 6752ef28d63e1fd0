use busway_core::{CommitOutcome, LaneCommit, LaneId, LaneRecord, SubscriptionId};
use rusqlite::{Connection, Result as NativeResult};

use super::{checkpoint_row, dead_letters, error::Fault, holds, requests};

/// Applies a commit whole, or refuses it before anything is written. It touches as many rows as it names.
pub(super) fn commit(connection: &Connection, commit: &LaneCommit) -> Result<CommitOutcome, Fault> {
    if let Some(refusal) = refusal(connection, commit)? {
        return Ok(refusal);
    }
    holds::check_chunks(connection, commit)?;
    dead_letters::bury(connection, commit.subscription, commit.lane, &commit.buried)?;
    dead_letters::add(connection, &commit.dead)?;
    requests::strike_off(connection, &commit.requests)?;
    if commit.clear {
        holds::clear(connection, commit.subscription, commit.lane)?;
    }
    holds::apply(connection, commit)?;
    checkpoint_row::put(connection, commit.subscription, commit.lane, &commit.checkpoint)?;
    Ok(CommitOutcome::Done)
}

/// What the commit meets: `None` if it may be applied.
fn refusal(connection: &Connection, commit: &LaneCommit) -> NativeResult<Option<CommitOutcome>> {
    let checkpoint = &commit.checkpoint;
    Ok(match checkpoint_row::version(connection, commit.subscription, commit.lane)? {
        None => Some(CommitOutcome::Fenced(None)),
        Some((version, _)) if version == commit.expected => None,
        Some(stored) if stored == (checkpoint.version, checkpoint.written_by) => Some(CommitOutcome::Done),
        Some((version, _)) => Some(CommitOutcome::Fenced(Some(version))),
    })
}

/// A lane, whole, as one snapshot.
pub(super) fn load(
    connection: &mut Connection,
    subscription: SubscriptionId,
    lane: LaneId,
) -> NativeResult<Option<LaneRecord>> {
    let snapshot = connection.transaction()?;
    let Some(checkpoint) = checkpoint_row::one(&snapshot, subscription, lane)? else { return Ok(None) };
    Ok(Some(LaneRecord {
        checkpoint,
        holds: holds::load(&snapshot, subscription, lane)?,
        turns: holds::turns(&snapshot, subscription, lane)?,
        dead: dead_letters::seqs(&snapshot, subscription, lane)?,
        requests: requests::of_lane(&snapshot, subscription, lane)?,
    }))
}
