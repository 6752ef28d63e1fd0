use busway_core::{OperationRecord, OperationState};
use rusqlite::{Connection, OptionalExtension, Result as NativeResult, params};

use super::columns::{json, to_json, unsigned};

/// Operations that have ended and are still shown.
const ENDED: i64 = 1_000;

/// Saves an operation if the stored version is `expected`; false if refused.
pub(super) fn save(connection: &Connection, operation: &OperationRecord, expected: Option<u64>) -> NativeResult<bool> {
    let id = operation.id.as_bytes();
    let stored = connection.prepare_cached("SELECT version FROM busway_operations WHERE id = ?1")?;
    let stored = { stored }.query_row([id], |row| unsigned(row, 0)).optional()?;
    if stored != expected {
        return Ok(false);
    }
    let sql = "INSERT OR REPLACE INTO busway_operations (id, version, running, ended_at, operation)
               VALUES (?1, ?2, ?3, ?4, ?5)";
    let running = operation.state == OperationState::Running;
    connection.prepare_cached(sql)?.execute(params![
        id,
        operation.version.cast_signed(),
        running,
        operation.ended_at.map(|time| time.as_millis()),
        to_json(operation)?,
    ])?;
    if !running {
        let sql = "DELETE FROM busway_operations WHERE id IN (
                       SELECT id FROM busway_operations WHERE NOT running ORDER BY ended_at DESC, id LIMIT -1 OFFSET ?1)";
        connection.prepare_cached(sql)?.execute([ENDED])?;
    }
    Ok(true)
}

/// All operations that are kept, by id.
pub(super) fn all(connection: &Connection) -> NativeResult<Vec<OperationRecord>> {
    let sql = "SELECT operation FROM busway_operations ORDER BY id";
    connection.prepare_cached(sql)?.query_map([], |row| json(row, 0))?.collect()
}
