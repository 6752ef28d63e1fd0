use std::sync::Arc;

use async_trait::async_trait;
use busway_core::{
    Appended, Capabilities, Direction, Entry, Epoch, Error, ErrorKind, Event, Filter, Finding, Heads, LaneId, Log,
    ReadPage, ReadRequest, Result, Seq, TenantId, Timestamp, Wake,
};
use rusqlite::{Connection, OptionalExtension, Result as NativeResult, params, types::ToSql};
use uuid::Uuid;

use super::{
    Sqlite,
    append::append,
    event_row::{COLUMNS, Decoder},
    place::{first_place, last_place, place, seq_of},
    readers::read,
    writer::write,
};

/// Rows that one read looks at without finding enough, so that a rare type does not keep a reader for seconds.
const MOST_LOOKED_AT: usize = 50_000;
/// Rows that one transaction of a prune removes, so that appends wait milliseconds at most.
const PRUNED_AT_ONCE: i64 = 1_000;

impl Sqlite {
    fn check_lane(&self, lane: LaneId) -> Result<()> {
        if lane.0 < self.lanes {
            return Ok(());
        }
        let detail = format!("the log has {} lanes, counted from 0", self.lanes);
        Err(Error::new(ErrorKind::NotFound, detail).with_context("lane", lane))
    }
}

#[async_trait]
impl Log for Sqlite {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn lanes(&self) -> u16 {
        self.lanes
    }

    async fn append(&self, batch: &[Arc<Event>]) -> Result<Vec<Appended>> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let (batch, lanes) = (batch.to_vec(), self.lanes);
        write(&self.shared, batch.len(), move |writing| Ok(append(writing, lanes, &batch)?)).await
    }

    async fn read(&self, request: ReadRequest) -> Result<ReadPage> {
        self.check_lane(request.lane)?;
        if request.max == 0 {
            return Ok(ReadPage { entries: Vec::new(), looked: request.after });
        }
        read(&self.shared, move |connection| Ok(page(connection, request)?)).await
    }

    async fn fetch(&self, lane: LaneId, seqs: &[Seq]) -> Result<Vec<Arc<Entry>>> {
        self.check_lane(lane)?;
        let seqs = seqs.to_vec();
        read(&self.shared, move |connection| Ok(fetched(connection, lane, &seqs)?)).await
    }

    async fn heads(&self) -> Result<Heads> {
        read(&self.shared, |connection| Ok(heads(connection)?)).await
    }

    async fn find(&self, tenant: Option<&TenantId>, from: Uuid, to: Uuid, max: usize) -> Result<Vec<Arc<Entry>>> {
        let tenant = tenant.cloned();
        read(&self.shared, move |connection| Ok(found(connection, tenant.as_ref(), from, to, max)?)).await
    }

    fn wake(&self) -> Wake {
        self.shared.waker()
    }

    async fn prune(&self, lane: LaneId, upto: Seq, before: Timestamp) -> Result<u64> {
        self.check_lane(lane)?;
        let mut removed = 0;
        loop {
            let some = write(&self.shared, PRUNED_AT_ONCE as usize, move |writing| {
                Ok(prune_some(writing.connection, lane, upto, before)?)
            });
            let some = some.await?;
            removed += some;
            if some < PRUNED_AT_ONCE as u64 {
                return Ok(removed);
            }
        }
    }

    async fn diagnose(&self) -> Result<Vec<Finding>> {
        self.look_after().await
    }
}

fn page(connection: &Connection, request: ReadRequest) -> NativeResult<ReadPage> {
    let ReadRequest { lane, after, until, filter, max, max_bytes, direction } = request;
    let (sql, first, last) = match direction {
        Direction::Forward => {
            let sql = format!("SELECT {COLUMNS} FROM busway_events WHERE place > ?1 AND place <= ?2 ORDER BY place");
            (sql, place(lane, after), place(lane, until))
        }
        Direction::Backward => {
            let sql =
                format!("SELECT {COLUMNS} FROM busway_events WHERE place > ?1 AND place <= ?2 ORDER BY place DESC");
            (sql, first_place(lane), place(lane, after.saturating_sub(1)))
        }
    };
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([first, last])?;
    let mut decoder = Decoder::new(filter);
    let mut page = ReadPage { entries: Vec::new(), looked: after };
    let (mut looked_at, mut bytes) = (0, 0);
    while let Some(row) = rows.next()? {
        page.looked = seq_of(row.get(0)?);
        looked_at += 1;
        if let Some(entry) = decoder.entry(row)? {
            bytes += entry.event().map_or(0, |event| event.payload.as_str().len());
            page.entries.push(entry);
            if page.entries.len() >= max || bytes >= max_bytes {
                return Ok(page);
            }
        }
        if looked_at == MOST_LOOKED_AT {
            return Ok(page);
        }
    }
    match direction {
        Direction::Backward => page.looked = 0,
        // Seqs have no gaps but what was pruned at the start: with a row seen, the last one was the end.
        Direction::Forward if looked_at == 0 && after < until => {
            let pruned = connection.prepare_cached("SELECT pruned FROM busway_lanes WHERE lane = ?1")?;
            page.looked = after.max(pruned_upto(pruned, lane)?.min(until));
        }
        Direction::Forward => {}
    }
    Ok(page)
}

fn pruned_upto(mut statement: rusqlite::CachedStatement<'_>, lane: LaneId) -> NativeResult<Seq> {
    statement.query_row([lane.0], |row| row.get(0)).map(i64::cast_unsigned)
}

fn fetched(connection: &Connection, lane: LaneId, seqs: &[Seq]) -> NativeResult<Vec<Arc<Entry>>> {
    let sql = format!("SELECT {COLUMNS} FROM busway_events WHERE place = ?1");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut decoder = Decoder::default();
    let mut entries = Vec::with_capacity(seqs.len());
    for seq in seqs {
        let entry = statement.query_row([place(lane, *seq)], |row| decoder.entry(row)).optional()?;
        entries.extend(entry.flatten().filter(|entry| entry.seq == *seq));
    }
    Ok(entries)
}

fn found(
    connection: &Connection,
    tenant: Option<&TenantId>,
    from: Uuid,
    to: Uuid,
    max: usize,
) -> NativeResult<Vec<Arc<Entry>>> {
    let of_tenant = if tenant.is_some() { "AND tenant = ?3" } else { "" };
    let sql = format!("SELECT {COLUMNS} FROM busway_events WHERE id BETWEEN ?1 AND ?2 {of_tenant} ORDER BY id, tenant");
    let mut statement = connection.prepare_cached(&sql)?;
    let (from, to) = (&from.as_bytes()[..], &to.as_bytes()[..]);
    let mut rows = match tenant {
        Some(tenant) => statement.query(params![from, to, tenant.as_str()])?,
        None => statement.query(params![from, to])?,
    };
    let mut decoder = Decoder::new(Filter::default());
    let mut entries = Vec::new();
    while entries.len() < max
        && let Some(row) = rows.next()?
    {
        entries.extend(decoder.entry(row)?.filter(|entry| entry.event().is_some()));
    }
    Ok(entries)
}

fn heads(connection: &Connection) -> NativeResult<Heads> {
    // One statement, so one snapshot; ?1 covers the seq's part of a place.
    let sql = "SELECT (SELECT value FROM busway_meta WHERE key = 'epoch'), pruned, (
                   SELECT place FROM busway_events AS event
                   WHERE event.place BETWEEN lanes.lane << 48 AND lanes.lane << 48 | ?1
                   ORDER BY place DESC LIMIT 1)
               FROM busway_lanes AS lanes ORDER BY lanes.lane";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([last_place(LaneId(0))])?;
    let mut heads = Heads { epoch: Epoch(0), seqs: Vec::new(), pruned: Vec::new() };
    while let Some(row) = rows.next()? {
        heads.epoch = Epoch(row.get::<_, i64>(0)?.cast_unsigned());
        let (pruned, newest): (i64, Option<i64>) = (row.get(1)?, row.get(2)?);
        heads.pruned.push(pruned.cast_unsigned());
        heads.seqs.push(newest.map_or(pruned.cast_unsigned(), seq_of));
    }
    Ok(heads)
}

/// Removes the oldest entries of a lane as far as they may go, at most so many at once.
fn prune_some(connection: &Connection, lane: LaneId, upto: Seq, before: Timestamp) -> NativeResult<u64> {
    let sql = "SELECT place, stored_at FROM busway_events WHERE place BETWEEN ?1 AND ?2 ORDER BY place LIMIT ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([first_place(lane), place(lane, upto), PRUNED_AT_ONCE])?;
    let mut last = None;
    while let Some(row) = rows.next()? {
        let (at, stored_at): (i64, i64) = (row.get(0)?, row.get(1)?);
        if Timestamp::from_millis(stored_at) >= before {
            break;
        }
        last = Some((at, stored_at));
    }
    drop(rows);
    let Some((last, stored_at)) = last else { return Ok(0) };
    let remove = "DELETE FROM busway_events WHERE place BETWEEN ?1 AND ?2";
    let removed = connection.prepare_cached(remove)?.execute([first_place(lane), last])?;
    let remember = "UPDATE busway_lanes SET pruned = ?2, stored_at = ?3 WHERE lane = ?1";
    let pruned: [&dyn ToSql; 3] = [&lane.0, &seq_of(last).cast_signed(), &stored_at];
    connection.prepare_cached(remember)?.execute(pruned)?;
    Ok(removed as u64)
}
