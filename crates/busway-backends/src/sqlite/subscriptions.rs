use busway_core::{Seq, SubscriptionId, SubscriptionRecord};
use rusqlite::{Connection, OptionalExtension, Result as NativeResult, params};

use super::{
    checkpoint_row,
    columns::{json, to_json, unsigned},
};

/// Saves a subscription if the stored version is `expected`; false if refused.
pub(super) fn save(
    connection: &Connection,
    record: &SubscriptionRecord,
    expected: Option<u64>,
    start: &[Seq],
) -> NativeResult<bool> {
    let id = record.id.0.as_bytes();
    let stored = "SELECT version FROM busway_subscriptions WHERE id = ?1";
    let stored = connection.prepare_cached(stored)?.query_row([id], |row| unsigned(row, 0)).optional()?;
    if stored != expected || (record.replay.is_none() && is_taken(connection, record)?) {
        return Ok(false);
    }
    let sql = "INSERT OR REPLACE INTO busway_subscriptions (id, owner, name, version, replay, record)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    connection.prepare_cached(sql)?.execute(params![
        id,
        record.owner.as_str(),
        record.name.as_str(),
        record.version.cast_signed(),
        record.replay.is_some(),
        to_json(record)?,
    ])?;
    if stored.is_none() {
        checkpoint_row::start(connection, record.id, start, record.revision)?;
    }
    note_change(connection)?;
    Ok(true)
}

/// True if another subscription that is no replay has the record's owner and name.
fn is_taken(connection: &Connection, record: &SubscriptionRecord) -> NativeResult<bool> {
    let sql = "SELECT 1 FROM busway_subscriptions WHERE owner = ?1 AND name = ?2 AND NOT replay AND id <> ?3";
    let by = params![record.owner.as_str(), record.name.as_str(), record.id.0.as_bytes()];
    connection.prepare_cached(sql)?.exists(by)
}

/// All subscriptions, by id.
pub(super) fn all(connection: &Connection) -> NativeResult<Vec<SubscriptionRecord>> {
    let sql = "SELECT record FROM busway_subscriptions ORDER BY id";
    connection.prepare_cached(sql)?.query_map([], |row| json(row, 0))?.collect()
}

/// Removes a subscription with all that is kept of it; false if it was not there.
pub(super) fn remove(connection: &Connection, id: SubscriptionId, keep_dead_letters: bool) -> NativeResult<bool> {
    let id = id.0.as_bytes();
    if connection.execute("DELETE FROM busway_subscriptions WHERE id = ?1", [id])? == 0 {
        return Ok(false);
    }
    for sql in [
        "DELETE FROM busway_checkpoints WHERE subscription = ?1",
        "DELETE FROM busway_holds WHERE subscription = ?1",
        "DELETE FROM busway_chunks WHERE subscription = ?1",
        "DELETE FROM busway_turns WHERE subscription = ?1",
        "DELETE FROM busway_requests WHERE subscription = ?1",
    ] {
        connection.execute(sql, [id])?;
    }
    if !keep_dead_letters {
        connection.execute("DELETE FROM busway_dead_letters WHERE subscription = ?1", [id])?;
    }
    note_change(connection)?;
    Ok(true)
}

/// Raises the number by which members learn that subscriptions or requests have changed.
pub(super) fn note_change(connection: &Connection) -> NativeResult<()> {
    let sql = "UPDATE busway_meta SET value = value + 1 WHERE key = 'changes'";
    connection.prepare_cached(sql)?.execute([]).map(drop)
}
