use std::sync::Arc;

use busway_core::{Appended, Error, ErrorKind, Event, LaneId, Result, Seq, Timestamp, lane_of};
use tokio_postgres::{Row, types::Type};
use uuid::Uuid;

use super::{
    columns::{column, only, unsigned},
    error::{corrupt, is_of_other_part},
    pool::{Pool, Values},
    time::SqlTime,
};

/// Rows that share a draw of the sequence.
const PER_DRAW: usize = 4_096;
/// Bytes that one statement may carry; PostgreSQL takes a gigabyte at most.
const MOST_BYTES: usize = 512 << 20;

const APPEND: &str = "SELECT * FROM {schema}.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";

/// As the function `append` does for one event that is new; no row comes back if it is not, or may not be. The lane's lock
/// is held before a seq is drawn. What was committed between the statement's beginning and that is not seen: the time is then
/// the clock's, which is later unless it was set back.
const APPEND_ONE: &str = r#"
    WITH locked AS MATERIALIZED (SELECT pg_advisory_xact_lock({lock}, $1)::text AS done)
    INSERT INTO {schema}.newest AS e (seq, stored_at, "time", id, lane, tenant, type, key, metadata, payload)
    SELECT nextval('{schema}.draws') << 12,
           greatest(date_trunc('milliseconds', clock_timestamp()),
                    coalesce((SELECT n.stored_at FROM {schema}.newest AS n WHERE n.lane = $2 ORDER BY n.seq DESC LIMIT 1),
                             (SELECT l.stored_at FROM {schema}.lanes AS l WHERE l.lane = $2))),
           $3, $4, $2, $5, $6, $7, $8, $9
    FROM locked
    WHERE done IS NOT NULL AND current_setting('transaction_isolation') = 'read committed'
        AND NOT EXISTS (SELECT FROM {schema}.parts AS p WHERE p.number > 1 AND p.began + interval '5 min' >= $10)
    ON CONFLICT (id, tenant) DO NOTHING
    RETURNING e.seq, e.stored_at, CASE WHEN $11 IS NOT NULL THEN pg_notify('{channel}', $11) END"#;

/// A batch column by column, as the server takes it.
struct Columns<'a> {
    /// The lanes of the batch, ascending.
    lanes: Vec<i32>,
    /// When the oldest id was made.
    oldest: SqlTime,
    ids: Vec<Uuid>,
    row_lanes: Vec<i16>,
    tenants: Vec<&'a str>,
    types: Vec<&'a str>,
    keys: Vec<Option<&'a str>>,
    times: Vec<SqlTime>,
    metadata: Vec<Option<&'a str>>,
    payloads: Vec<&'a str>,
}

impl<'a> Columns<'a> {
    fn of(batch: &'a [Arc<Event>], lanes: u16) -> Self {
        let lane = |event: &Event| lane_of(&event.tenant, event.key.as_ref(), &event.event_type, lanes);
        let row_lanes: Vec<i16> = batch.iter().map(|event| lane(event).0.cast_signed()).collect();
        let mut locked: Vec<i32> = row_lanes.iter().map(|lane| i32::from(*lane)).collect();
        locked.sort_unstable();
        locked.dedup();
        Self {
            lanes: locked,
            oldest: SqlTime(batch.iter().map(|event| made_at(event.id)).min().unwrap_or(Timestamp::MIN)),
            ids: batch.iter().map(|event| event.id).collect(),
            row_lanes,
            tenants: batch.iter().map(|event| event.tenant.as_str()).collect(),
            types: batch.iter().map(|event| event.event_type.as_str()).collect(),
            keys: batch.iter().map(|event| event.key.as_ref().map(|key| key.as_str())).collect(),
            times: batch.iter().map(|event| SqlTime(event.time)).collect(),
            metadata: batch.iter().map(|event| said(event)).collect(),
            payloads: batch.iter().map(|event| event.payload.as_str()).collect(),
        }
    }
}

fn said(event: &Event) -> Option<&str> {
    (!event.metadata.is_empty()).then(|| event.metadata.as_str())
}

/// When an id was made, or long ago if its version does not tell.
fn made_at(id: Uuid) -> Timestamp {
    match id.get_version_num() {
        7 => Timestamp::from_millis((id.as_u128() >> 80) as i64),
        _ => Timestamp::MIN,
    }
}

/// Appends a batch, at the server's time unless another is given; a note is told to whoever listens.
pub(super) async fn append(
    pool: &Pool,
    lanes: u16,
    batch: &[Arc<Event>],
    at: Option<Timestamp>,
    note: Option<&str>,
) -> Result<Vec<Appended>> {
    let bytes: usize = batch.iter().map(|event| event.size()).sum();
    if bytes > MOST_BYTES {
        let detail = format!("a batch of {bytes} bytes is too large; at most {MOST_BYTES} go in one");
        return Err(Error::new(ErrorKind::TooLarge, detail));
    }
    if let ([event], None) = (batch, at)
        && let Some(appended) = append_one(pool, lanes, event, note).await?
    {
        return Ok(vec![appended]);
    }
    let columns = Columns::of(batch, lanes);
    let at = at.map(SqlTime);
    let values: Values<'_> = &[
        (&columns.lanes, Type::INT4_ARRAY),
        (&columns.oldest, Type::TIMESTAMPTZ),
        (&at, Type::TIMESTAMPTZ),
        (&note, Type::TEXT),
        (&columns.ids, Type::UUID_ARRAY),
        (&columns.row_lanes, Type::INT2_ARRAY),
        (&columns.tenants, Type::TEXT_ARRAY),
        (&columns.types, Type::TEXT_ARRAY),
        (&columns.keys, Type::TEXT_ARRAY),
        (&columns.times, Type::TIMESTAMPTZ_ARRAY),
        (&columns.metadata, Type::TEXT_ARRAY),
        (&columns.payloads, Type::TEXT_ARRAY),
    ];
    told(&only(pool.write_often(APPEND, values).await?)?, &columns.row_lanes)
}

/// Appends an event if it is new and no older part need be looked through for it.
async fn append_one(pool: &Pool, lanes: u16, event: &Event, note: Option<&str>) -> Result<Option<Appended>> {
    // Planned each time, it costs more than the function.
    if !pool.is_direct() {
        return Ok(None);
    }
    let lane = lane_of(&event.tenant, event.key.as_ref(), &event.event_type, lanes);
    let values: Values<'_> = &[
        (&i32::from(lane.0), Type::INT4),
        (&lane.0.cast_signed(), Type::INT2),
        (&SqlTime(event.time), Type::TIMESTAMPTZ),
        (&event.id, Type::UUID),
        (&event.tenant.as_str(), Type::TEXT),
        (&event.event_type.as_str(), Type::TEXT),
        (&event.key.as_ref().map(|key| key.as_str()), Type::TEXT),
        (&said(event), Type::TEXT),
        (&event.payload.as_str(), Type::TEXT),
        (&SqlTime(made_at(event.id)), Type::TIMESTAMPTZ),
        (&note, Type::TEXT),
    ];
    let rows = match pool.write_often(APPEND_ONE, values).await {
        // A part was begun in between, and the seq drawn is of that.
        Err(error) if is_of_other_part(&error) => return Ok(None),
        rows => rows?,
    };
    let Some(row) = rows.first() else { return Ok(None) };
    let stored_at: SqlTime = column(row, 1)?;
    Ok(Some(Appended { lane, seq: unsigned(row, 0)?, stored_at: stored_at.0, duplicate: false }))
}

/// What became of each event, as the answer tells.
fn told(row: &Row, row_lanes: &[i16]) -> Result<Vec<Appended>> {
    let odd = || corrupt("the function `append` of the schema answered what it cannot");
    let (bases, stored_at): (Vec<i64>, SqlTime) = (column(row, 0)?, column(row, 1)?);
    if bases.len() != row_lanes.len().div_ceil(PER_DRAW) {
        return Err(odd());
    }
    let fresh = |(n, lane): (usize, &i16)| Appended {
        lane: lane_id(*lane),
        seq: bases[n / PER_DRAW].cast_unsigned() + (n % PER_DRAW) as Seq,
        stored_at: stored_at.0,
        duplicate: false,
    };
    let mut appended: Vec<Appended> = row_lanes.iter().enumerate().map(fresh).collect();
    let repeats: Option<Vec<i64>> = column(row, 2)?;
    let Some(repeats) = repeats.filter(|repeats| !repeats.is_empty()) else { return Ok(appended) };
    let (lanes, seqs, times): (Vec<i16>, Vec<i64>, Vec<SqlTime>) = (column(row, 3)?, column(row, 4)?, column(row, 5)?);
    for (n, ((lane, seq), stored_at)) in repeats.into_iter().zip(lanes.into_iter().zip(seqs).zip(times)) {
        let repeat = usize::try_from(n - 1).ok().and_then(|n| appended.get_mut(n)).ok_or_else(odd)?;
        let (lane, seq) = (lane_id(lane), seq.cast_unsigned());
        *repeat = Appended { lane, seq, stored_at: stored_at.0, duplicate: true };
    }
    Ok(appended)
}

fn lane_id(lane: i16) -> LaneId {
    LaneId(lane.cast_unsigned())
}

#[cfg(test)]
mod tests {
    use busway_core::Seam;

    use super::*;

    #[test]
    fn only_an_id_of_version_7_tells_when_it_was_made() {
        let seam = Seam::system();
        let (before, id, after) = (seam.now(), Uuid::now_v7(), seam.now());
        assert!((before..=after).contains(&made_at(id)));
        for id in [Uuid::new_v4(), Uuid::nil(), Uuid::max()] {
            assert_eq!(made_at(id), Timestamp::MIN, "{id}");
        }
    }
}
