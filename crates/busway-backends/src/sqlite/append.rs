use std::sync::Arc;

use busway_core::{Appended, Event, Timestamp, lane_of};
use rusqlite::{Connection, Result as NativeResult, params};

use super::{
    place::{self, place},
    writer::Writing,
};

const INSERT: &str = "INSERT INTO busway_events (place, id, tenant, type, key, time, stored_at, metadata, payload) \
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (id, tenant) DO NOTHING";

/// Appends a batch in the transaction under way.
pub(super) fn append(writing: &mut Writing<'_>, lanes: u16, batch: &[Arc<Event>]) -> NativeResult<Vec<Appended>> {
    let now = writing.seam.now();
    let mut insert = writing.connection.prepare_cached(INSERT)?;
    let mut appended = Vec::with_capacity(batch.len());
    for event in batch {
        let lane = lane_of(&event.tenant, event.key.as_ref(), &event.event_type, lanes);
        let head = &mut writing.heads[lane];
        let (seq, stored_at) = (head.seq + 1, head.stored_at.max(now));
        let metadata = (!event.metadata.is_empty()).then(|| event.metadata.as_str());
        let inserted = insert.execute(params![
            place(lane, seq),
            &event.id.as_bytes()[..],
            event.tenant.as_str(),
            event.event_type.as_str(),
            event.key.as_ref().map(|key| key.as_str()),
            event.time.as_millis(),
            stored_at.as_millis(),
            metadata,
            event.payload.as_str(),
        ])?;
        appended.push(if inserted == 0 {
            first(writing.connection, event)?
        } else {
            (head.seq, head.stored_at) = (seq, stored_at);
            writing.appended = true;
            Appended { lane, seq, stored_at, duplicate: false }
        });
    }
    Ok(appended)
}

/// What was stored under the event's (tenant, id) before.
fn first(connection: &Connection, event: &Event) -> NativeResult<Appended> {
    let sql = "SELECT place, stored_at FROM busway_events WHERE id = ?1 AND tenant = ?2";
    connection.prepare_cached(sql)?.query_row(params![&event.id.as_bytes()[..], event.tenant.as_str()], |row| {
        let (at, stored_at) = (row.get(0)?, row.get(1)?);
        let stored_at = Timestamp::from_millis(stored_at);
        Ok(Appended { lane: place::lane_of(at), seq: place::seq_of(at), stored_at, duplicate: true })
    })
}
