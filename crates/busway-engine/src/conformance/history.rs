use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// When something happened: a number that rises, and the clock's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    /// Rises with each record.
    pub n: u64,
    /// The clock's time.
    pub at: Duration,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Acknowledged.
    Ack,
    /// Failed, to be tried again.
    Retry,
    /// Failed for good.
    Dead,
    /// Given up by the engine: timed out, or its lane was lost.
    Dropped,
}

/// One thing that happened, as seen from outside the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A publisher was told that its event is stored. Events are numbered in the order of their publishing per key.
    Acknowledged {
        /// The event.
        event: u64,
        /// What it is ordered by; keyless events have none.
        key: Option<String>,
    },
    /// A handler started.
    Started {
        /// Which process.
        process: usize,
        /// Which subscription.
        subscription: String,
        /// Which event.
        event: u64,
        /// What it is ordered by in this subscription.
        key: Option<String>,
        /// Runs begun, as the handler was told.
        attempt: u32,
        /// It is a replay's.
        replay: bool,
        /// Tells this run from others.
        run: u64,
    },
    /// A handler ended.
    Finished {
        /// The run.
        run: u64,
        /// How.
        ended: Ended,
    },
    /// A process was killed: what ran in it ended there.
    Killed {
        /// Which process.
        process: usize,
        /// By which event's handler, if by one.
        by: Option<u64>,
    },
    /// A process stood still, or lost its lease: others may have taken its lanes while its handlers ran on.
    Suspended {
        /// Which process.
        process: usize,
    },
    /// A process began to leave: what does not end in time is handed back, uncharged.
    Left {
        /// Which process.
        process: usize,
    },
    /// Someone asked that a dead letter be run again.
    RetryAsked {
        /// Of which subscription.
        subscription: String,
        /// Which event.
        event: u64,
    },
    /// Someone discarded a dead letter.
    Discarded {
        /// Of which subscription.
        subscription: String,
        /// Which event.
        event: u64,
    },
}

/// A dead letter as it stands at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lettered {
    /// Of which subscription.
    pub subscription: String,
    /// Which event.
    pub event: u64,
    /// Runs begun.
    pub attempts: u32,
    /// Its process was lost each time.
    pub lost: bool,
}

/// What happened, in order. Clones share one history.
#[derive(Clone, Default)]
pub struct History(Arc<Mutex<Vec<(Stamp, Record)>>>);

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (stamp, record) in self.records() {
            writeln!(f, "{:>5} {:>9.3} {record:?}", stamp.n, stamp.at.as_secs_f64())?;
        }
        Ok(())
    }
}

impl History {
    /// Notes that something happened at a time.
    pub fn note(&self, at: Duration, record: Record) {
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let n = records.len() as u64;
        records.push((Stamp { n, at }, record));
    }

    /// Everything so far.
    pub fn records(&self) -> Vec<(Stamp, Record)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
