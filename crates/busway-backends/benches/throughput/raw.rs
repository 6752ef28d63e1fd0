//! The loop that the backend is measured against.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use busway_core::{Event, lane_of};
use rusqlite::{Connection, TransactionBehavior, params};

use crate::LANES;

/// One connection in a tight loop, as somebody would write it by hand: no queue, no answers, no duplicates.
pub(crate) struct Loop {
    connection: Connection,
    seqs: [i64; LANES as usize],
}

impl Loop {
    pub(crate) fn open(path: &Path) -> Self {
        let connection = Connection::open(path).unwrap();
        // As the backend has it, so that the loop differs in nothing but what is in question.
        for (setting, value) in [("wal_autocheckpoint", 4_000), ("cache_size", -16_384)] {
            connection.pragma_update(None, setting, value).unwrap();
        }
        connection.pragma_update(None, "synchronous", "full").unwrap();
        Self { connection, seqs: [0; LANES as usize] }
    }

    /// Stores events, so many a commit; returns how long that took.
    pub(crate) fn timed(&mut self, events: &[Arc<Event>], per_commit: usize) -> Duration {
        let start = Instant::now();
        for batch in events.chunks(per_commit) {
            self.store(batch).unwrap();
        }
        start.elapsed()
    }

    fn store(&mut self, batch: &[Arc<Event>]) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let sql = "INSERT INTO busway_events VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, NULL, ?8)";
        let mut insert = transaction.prepare_cached(sql)?;
        for event in batch {
            let lane = lane_of(&event.tenant, event.key.as_ref(), &event.event_type, LANES);
            let seq = &mut self.seqs[usize::from(lane.0)];
            *seq += 1;
            insert.execute(params![
                i64::from(lane.0) << 48 | *seq,
                &event.id.as_bytes()[..],
                event.tenant.as_str(),
                event.event_type.as_str(),
                event.key.as_ref().map(|key| key.as_str()),
                event.time.as_millis(),
                event.time.as_millis(),
                event.payload.as_str(),
            ])?;
        }
        drop(insert);
        transaction.commit()
    }
}
