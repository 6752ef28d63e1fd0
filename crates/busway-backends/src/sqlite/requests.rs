use busway_core::{Error, ErrorKind, LaneId, Request, RequestKind, SubscriptionId};
use rusqlite::{Connection, Result as NativeResult, Row, params};

use super::{
    checkpoint_row,
    columns::{json, to_json, unsigned, uuid},
    error::Fault,
    subscriptions::note_change,
};

/// Leaves a request and returns its id.
pub(super) fn add(
    connection: &Connection,
    subscription: SubscriptionId,
    lane: LaneId,
    kind: &RequestKind,
) -> Result<u64, Fault> {
    if checkpoint_row::version(connection, subscription, lane)?.is_none() {
        let missing = Error::new(ErrorKind::NotFound, "the subscription or its lane is gone");
        return Err(missing.with_context("subscription", subscription).with_context("lane", lane).into());
    }
    note_change(connection)?;
    let sql = "INSERT INTO busway_requests (subscription, lane, request) VALUES (?1, ?2, ?3)";
    let id = connection.prepare_cached(sql)?.insert(params![subscription.0.as_bytes(), lane.0, to_json(kind)?])?;
    Ok(id.cast_unsigned())
}

/// Removes requests that are carried out.
pub(super) fn strike_off(connection: &Connection, ids: &[u64]) -> NativeResult<()> {
    for id in ids {
        connection.prepare_cached("DELETE FROM busway_requests WHERE id = ?1")?.execute([id.cast_signed()])?;
    }
    Ok(())
}

/// All requests, oldest first.
pub(super) fn all(connection: &Connection) -> NativeResult<Vec<Request>> {
    let sql = "SELECT id, subscription, lane, request FROM busway_requests ORDER BY id";
    connection.prepare_cached(sql)?.query_map([], request)?.collect()
}

/// The requests for one lane, oldest first.
pub(super) fn of_lane(
    connection: &Connection,
    subscription: SubscriptionId,
    lane: LaneId,
) -> NativeResult<Vec<Request>> {
    let sql = "SELECT id, subscription, lane, request FROM busway_requests
               WHERE subscription = ?1 AND lane = ?2 ORDER BY id";
    connection.prepare_cached(sql)?.query_map(params![subscription.0.as_bytes(), lane.0], request)?.collect()
}

fn request(row: &Row<'_>) -> NativeResult<Request> {
    Ok(Request {
        id: unsigned(row, 0)?,
        subscription: SubscriptionId(uuid(row, 1)?),
        lane: LaneId(row.get(2)?),
        kind: json(row, 3)?,
    })
}
