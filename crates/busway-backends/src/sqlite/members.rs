use busway_core::{MemberId, MemberRecord, Pulse};
use rusqlite::{Connection, OptionalExtension, Result as NativeResult, Row, params};

use super::columns::{json, to_json, unsigned, uuid};

/// Writes a member's record and tells who else there is.
pub(super) fn pulse(connection: &Connection, member: &MemberRecord) -> NativeResult<Pulse> {
    let sql = "INSERT OR REPLACE INTO busway_members (id, name, counter, lease_ms, serves) VALUES (?1, ?2, ?3, ?4, ?5)";
    connection.prepare_cached(sql)?.execute(params![
        member.id.0.as_bytes(),
        member.name,
        member.counter.cast_signed(),
        member.lease_ms.cast_signed(),
        to_json(&member.serves)?,
    ])?;
    let sql = "SELECT id, name, counter, lease_ms, serves FROM busway_members ORDER BY id";
    let members = connection.prepare_cached(sql)?.query_map([], record)?.collect::<NativeResult<_>>()?;
    let sql = "SELECT value FROM busway_meta WHERE key = 'changes'";
    let changes = connection.prepare_cached(sql)?.query_row([], |row| unsigned(row, 0))?;
    Ok(Pulse { members, changes })
}

pub(super) fn remove(connection: &Connection, id: MemberId) -> NativeResult<()> {
    connection.execute("DELETE FROM busway_members WHERE id = ?1", [id.0.as_bytes()]).map(drop)
}

/// Takes or keeps a lease, where that is possible, and returns its holder and counter.
pub(super) fn lease(
    connection: &Connection,
    name: &str,
    member: MemberId,
    stale: Option<(MemberId, u64)>,
) -> NativeResult<(MemberId, u64)> {
    let sql = "SELECT holder, counter FROM busway_leases WHERE name = ?1";
    let held = |row: &Row<'_>| Ok((MemberId(uuid(row, 0)?), unsigned(row, 1)?));
    let held = connection.prepare_cached(sql)?.query_row([name], held).optional()?;
    let counter = match held {
        None => 1,
        Some((holder, counter)) if holder == member || stale == Some((holder, counter)) => counter + 1,
        Some(held) => return Ok(held),
    };
    let sql = "INSERT OR REPLACE INTO busway_leases (name, holder, counter) VALUES (?1, ?2, ?3)";
    connection.prepare_cached(sql)?.execute(params![name, member.0.as_bytes(), counter.cast_signed()])?;
    Ok((member, counter))
}

fn record(row: &Row<'_>) -> NativeResult<MemberRecord> {
    Ok(MemberRecord {
        id: MemberId(uuid(row, 0)?),
        name: row.get(1)?,
        counter: unsigned(row, 2)?,
        lease_ms: unsigned(row, 3)?,
        serves: json(row, 4)?,
    })
}
