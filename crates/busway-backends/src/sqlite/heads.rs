use std::ops::{Index, IndexMut};

use busway_core::{LaneId, Seq, Timestamp};
use rusqlite::{Connection, Result as NativeResult};

use super::place::{first_place, last_place, seq_of};

/// Where a lane ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The highest seq ever given.
    pub(super) seq: Seq,
    /// When the newest entry was stored; the next one is stored no earlier, wherever the clock jumps.
    pub(super) stored_at: Timestamp,
}

/// Where the lanes end as the writing connection knows it, read anew whenever another connection has written.
#[derive(Debug)]
pub(super) struct Heads {
    lanes: Vec<Head>,
    known: bool,
    data_version: i64,
}

impl Heads {
    /// As they are when the store is opened: what is there already was appended by nobody else.
    pub(super) fn read(connection: &Connection, lanes: u16) -> NativeResult<Self> {
        let empty = Head { seq: 0, stored_at: Timestamp::MIN };
        let mut heads = Self { lanes: vec![empty; lanes.into()], known: false, data_version: 0 };
        heads.refresh(connection)?;
        Ok(heads)
    }

    /// Brings them up to date; true if another connection has appended.
    pub(super) fn refresh(&mut self, connection: &Connection) -> NativeResult<bool> {
        // The number changes with the commits of every other connection, in this process or another, never with
        // this connection's own.
        let data_version = connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?;
        let foreign = data_version != self.data_version;
        if self.known && !foreign {
            return Ok(false);
        }
        let stored = stored(connection, self.lanes.len())?;
        let appended = foreign && !(self.known && stored == self.lanes);
        *self = Self { lanes: stored, known: true, data_version };
        Ok(appended)
    }

    /// To be called when a transaction that may have moved them is rolled back.
    pub(super) fn forget(&mut self) {
        self.known = false;
    }
}

impl Index<LaneId> for Heads {
    type Output = Head;

    fn index(&self, lane: LaneId) -> &Head {
        &self.lanes[usize::from(lane.0)]
    }
}

impl IndexMut<LaneId> for Heads {
    fn index_mut(&mut self, lane: LaneId) -> &mut Head {
        &mut self.lanes[usize::from(lane.0)]
    }
}

fn stored(connection: &Connection, lanes: usize) -> NativeResult<Vec<Head>> {
    let newest = "SELECT place, stored_at FROM busway_events WHERE place BETWEEN ?1 AND ?2 ORDER BY place DESC LIMIT 1";
    let mut newest = connection.prepare_cached(newest)?;
    let mut pruned = connection.prepare_cached("SELECT pruned, stored_at FROM busway_lanes WHERE lane = ?1")?;
    let head = |seq: i64, millis| Head { seq: seq_of(seq), stored_at: Timestamp::from_millis(millis) };
    let mut heads = Vec::with_capacity(lanes);
    for lane in (0..).map(LaneId).take(lanes) {
        let mut entries = newest.query([first_place(lane), last_place(lane)])?;
        heads.push(match entries.next()? {
            Some(entry) => head(entry.get(0)?, entry.get(1)?),
            None => pruned.query_row([lane.0], |row| Ok(head(row.get(0)?, row.get(1)?)))?,
        });
    }
    Ok(heads)
}
