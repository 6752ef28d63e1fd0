use std::collections::{BTreeMap, BTreeSet};

use busway_core::{
    Error, ErrorKind, Failure, HoldRecord, HoldState, KeyId, LaneCommit, LaneId, Seq, SubscriptionId, TurnId,
    TurnRecord,
};
use rusqlite::{Connection, OptionalExtension, Result as NativeResult, Row, params};

use super::{
    columns::{count, json, name_of, named, signed_if, tenant, time, to_json, unreadable, unsigned, unsigned_if, wide},
    error::Fault,
};
use crate::seqs::{pack, unpack};

const STATES: &[(HoldState, &str)] = &[
    (HoldState::Waiting, "waiting"),
    (HoldState::Suspect, "suspect"),
    (HoldState::Running, "running"),
    (HoldState::Leased, "leased"),
    (HoldState::Blocked, "blocked"),
];

/// Fails if the commit remembers seqs for a key that would have no hold: they would be lost.
pub(super) fn check_chunks(connection: &Connection, commit: &LaneCommit) -> Result<(), Fault> {
    if commit.chunks.is_empty() {
        return Ok(());
    }
    let written: BTreeSet<KeyId> = commit.holds.iter().map(|hold| hold.key).collect();
    let released: BTreeSet<KeyId> = commit.released.iter().copied().collect();
    let sql = "SELECT 1 FROM busway_holds WHERE subscription = ?1 AND lane = ?2 AND key = ?3";
    let mut stored = connection.prepare_cached(sql)?;
    for (key, _) in &commit.chunks {
        let place = params![commit.subscription.0.as_bytes(), commit.lane.0, key.0.to_be_bytes()];
        let stays = !commit.clear && !released.contains(key) && stored.exists(place)?;
        if !(stays || written.contains(key)) {
            let detail = "a commit remembers seqs for a key that has no hold";
            return Err(Error::new(ErrorKind::Internal, detail).with_context("key", format!("{:x}", key.0)).into());
        }
    }
    Ok(())
}

/// Removes all that holds a lane's keys and tenants.
pub(super) fn clear(connection: &Connection, subscription: SubscriptionId, lane: LaneId) -> NativeResult<()> {
    for sql in [
        "DELETE FROM busway_holds WHERE subscription = ?1 AND lane = ?2",
        "DELETE FROM busway_chunks WHERE subscription = ?1 AND lane = ?2",
        "DELETE FROM busway_turns WHERE subscription = ?1 AND lane = ?2",
    ] {
        connection.prepare_cached(sql)?.execute(params![subscription.0.as_bytes(), lane.0])?;
    }
    Ok(())
}

/// Writes and removes holds, their seqs and tenant holds, as a commit says.
pub(super) fn apply(connection: &Connection, commit: &LaneCommit) -> NativeResult<()> {
    let (subscription, lane) = (commit.subscription.0.as_bytes(), commit.lane.0);
    for key in &commit.released {
        let hold = "DELETE FROM busway_holds WHERE subscription = ?1 AND lane = ?2 AND key = ?3";
        connection.prepare_cached(hold)?.execute(params![subscription, lane, key.0.to_be_bytes()])?;
        forget_seqs(connection, commit, *key, Seq::MAX >> 1)?;
    }
    for hold in &commit.holds {
        put(connection, commit, hold)?;
        forget_seqs(connection, commit, hold.key, hold.done)?;
    }
    for (key, seqs) in &commit.chunks {
        remember_seqs(connection, commit, *key, seqs)?;
    }
    for turn in &commit.turns_removed {
        let sql = "DELETE FROM busway_turns WHERE subscription = ?1 AND lane = ?2 AND turn = ?3";
        connection.prepare_cached(sql)?.execute(params![subscription, lane, turn.0.cast_signed()])?;
    }
    for turn in &commit.turns {
        let sql = "INSERT OR REPLACE INTO busway_turns VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        connection.prepare_cached(sql)?.execute(params![
            subscription,
            lane,
            turn.turn.0.cast_signed(),
            turn.tenant.as_str(),
            turn.position.cast_signed(),
            turn.probation.cast_signed(),
        ])?;
    }
    Ok(())
}

fn put(connection: &Connection, commit: &LaneCommit, hold: &HoldRecord) -> NativeResult<()> {
    let failures = if hold.failures.is_empty() { None } else { Some(to_json(&hold.failures)?) };
    let sql = "INSERT OR REPLACE INTO busway_holds VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
    let row = params![
        commit.subscription.0.as_bytes(),
        commit.lane.0,
        hold.key.0.to_be_bytes(),
        hold.turn.0.cast_signed(),
        hold.done.cast_signed(),
        signed_if(hold.head),
        signed_if(hold.again),
        name_of(hold.state, STATES),
        hold.attempt,
        hold.due.as_millis(),
        hold.fence.cast_signed(),
        hold.last.cast_signed(),
        failures,
    ];
    connection.prepare_cached(sql)?.execute(row).map(drop)
}

/// Forgets the chunks of a key whose last seq is not above `upto`.
fn forget_seqs(connection: &Connection, commit: &LaneCommit, key: KeyId, upto: Seq) -> NativeResult<()> {
    let sql = "DELETE FROM busway_chunks WHERE subscription = ?1 AND lane = ?2 AND key = ?3 AND last <= ?4";
    let (subscription, upto) = (commit.subscription.0.as_bytes(), upto.cast_signed());
    let chunks = params![subscription, commit.lane.0, key.0.to_be_bytes(), upto];
    connection.prepare_cached(sql)?.execute(chunks).map(drop)
}

fn remember_seqs(connection: &Connection, commit: &LaneCommit, key: KeyId, seqs: &[Seq]) -> NativeResult<()> {
    let Some(last) = seqs.iter().max() else { return Ok(()) };
    let (subscription, key) = (commit.subscription.0.as_bytes(), key.0.to_be_bytes());
    let place = params![subscription, commit.lane.0, key, last.cast_signed()];
    let same = "SELECT seqs FROM busway_chunks WHERE subscription = ?1 AND lane = ?2 AND key = ?3 AND last = ?4";
    let same = connection.prepare_cached(same)?.query_row(place, |row| unpacked(row, 0)).optional()?;
    let chunk = pack(&[same.unwrap_or_default().as_slice(), seqs].concat());
    let sql = "INSERT OR REPLACE INTO busway_chunks VALUES (?1, ?2, ?3, ?4, ?5)";
    let row = params![subscription, commit.lane.0, key, last.cast_signed(), chunk];
    connection.prepare_cached(sql)?.execute(row).map(drop)
}

/// The holds of a lane with their backlogs, by key.
pub(super) fn load(
    connection: &Connection,
    subscription: SubscriptionId,
    lane: LaneId,
) -> NativeResult<Vec<HoldRecord>> {
    let place = params![subscription.0.as_bytes(), lane.0];
    let sql = "SELECT key, turn, done, head, again, state, attempt, due, fence, last, failures
               FROM busway_holds WHERE subscription = ?1 AND lane = ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let holds = statement.query_map(place, hold)?.map(|hold| hold.map(|hold| (hold.key, hold)));
    let mut holds = holds.collect::<NativeResult<BTreeMap<_, _>>>()?;
    let sql = "SELECT key, seqs FROM busway_chunks WHERE subscription = ?1 AND lane = ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let mut chunks = statement.query(place)?;
    while let Some(chunk) = chunks.next()? {
        if let Some(hold) = holds.get_mut(&KeyId(wide(chunk, 0)?)) {
            let done = hold.done;
            hold.backlog.extend(unpacked(chunk, 1)?.into_iter().filter(|seq| *seq > done));
        }
    }
    let mut holds: Vec<HoldRecord> = holds.into_values().collect();
    for hold in &mut holds {
        hold.backlog.sort_unstable();
        hold.backlog.dedup();
    }
    Ok(holds)
}

fn hold(row: &Row<'_>) -> NativeResult<HoldRecord> {
    let failures: Vec<Failure> =
        if row.get_ref(10)? == rusqlite::types::ValueRef::Null { Vec::new() } else { json(row, 10)? };
    Ok(HoldRecord {
        key: KeyId(wide(row, 0)?),
        turn: TurnId(unsigned(row, 1)?),
        done: unsigned(row, 2)?,
        head: unsigned_if(row, 3)?,
        again: unsigned_if(row, 4)?,
        state: named(row, 5, STATES)?,
        attempt: count(row, 6)?,
        due: time(row, 7)?,
        fence: unsigned(row, 8)?,
        last: unsigned(row, 9)?,
        failures,
        backlog: Vec::new(),
    })
}

/// The tenant holds of a lane.
pub(super) fn turns(
    connection: &Connection,
    subscription: SubscriptionId,
    lane: LaneId,
) -> NativeResult<Vec<TurnRecord>> {
    let sql = "SELECT turn, tenant, position, probation FROM busway_turns WHERE subscription = ?1 AND lane = ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let turns = statement.query_map(params![subscription.0.as_bytes(), lane.0], |row| {
        Ok(TurnRecord {
            turn: TurnId(unsigned(row, 0)?),
            tenant: tenant(row, 1)?,
            position: unsigned(row, 2)?,
            probation: unsigned(row, 3)?,
        })
    })?;
    turns.collect()
}

/// How many holds each lane of a subscription has, and the least seq that a hold or a tenant hold still needs.
pub(super) fn counts(connection: &Connection, subscription: SubscriptionId) -> NativeResult<Vec<(LaneId, u64, Seq)>> {
    let id = subscription.0.as_bytes();
    let sql = "SELECT lane,
                   (SELECT count(*) FROM busway_holds WHERE subscription = ?1 AND lane = checkpoints.lane),
                   (SELECT min(head) FROM busway_holds WHERE subscription = ?1 AND lane = checkpoints.lane),
                   (SELECT min(position) FROM busway_turns WHERE subscription = ?1 AND lane = checkpoints.lane)
               FROM busway_checkpoints AS checkpoints WHERE subscription = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let lanes = statement.query_map([id], |row| {
        let (head, turn) = (unsigned_if(row, 2)?, unsigned_if(row, 3)?.map(|position| position.saturating_add(1)));
        let needed = head.unwrap_or(Seq::MAX).min(turn.unwrap_or(Seq::MAX));
        Ok((row.get(0)?, (unsigned(row, 1)?, needed)))
    })?;
    let mut lanes = lanes.collect::<NativeResult<BTreeMap<u16, _>>>()?;
    let sql = "SELECT hold.lane, hold.done, chunk.seqs
               FROM busway_holds AS hold JOIN busway_chunks AS chunk USING (subscription, lane, key)
               WHERE hold.subscription = ?1 AND hold.head IS NULL AND chunk.last > hold.done";
    let mut statement = connection.prepare_cached(sql)?;
    let mut headless = statement.query([id])?;
    while let Some(row) = headless.next()? {
        let (lane, done) = (row.get(0)?, unsigned(row, 1)?);
        let first = unpacked(row, 2)?.into_iter().find(|seq| *seq > done).unwrap_or(Seq::MAX);
        if let Some((_, needed)) = lanes.get_mut(&lane) {
            *needed = first.min(*needed);
        }
    }
    Ok(lanes.into_iter().map(|(lane, (count, needed))| (LaneId(lane), count, needed)).collect())
}

fn unpacked(row: &Row<'_>, index: usize) -> NativeResult<Vec<Seq>> {
    let bytes = row.get_ref(index)?.as_blob().map_err(|error| unreadable(index, error))?;
    unpack(bytes).ok_or_else(|| unreadable(index, "are no packed seqs"))
}
