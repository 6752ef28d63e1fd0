use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use busway_core::{Error, ErrorKind, Outbox, OutboxMark, OutboxPage, OutboxRow, OutboxStatements, Result, Timestamp};
use tokio::sync::watch;
use uuid::Uuid;

/// An outbox without transactions: what is written is committed.
#[derive(Debug)]
pub(crate) struct MemoryOutbox {
    rows: Mutex<BTreeMap<u64, OutboxRow>>,
    left: watch::Sender<usize>,
    /// Removals that are still to fail, having done nothing.
    failing: Mutex<usize>,
    pub(crate) looks: AtomicUsize,
    pub(crate) forgotten: watch::Sender<Option<Timestamp>>,
}

impl MemoryOutbox {
    pub(crate) fn new() -> Self {
        Self {
            rows: Mutex::default(),
            left: watch::Sender::new(0),
            failing: Mutex::default(),
            looks: AtomicUsize::new(0),
            forgotten: watch::Sender::new(None),
        }
    }

    fn rows(&self) -> MutexGuard<'_, BTreeMap<u64, OutboxRow>> {
        self.rows.lock().unwrap()
    }

    /// Commits rows at once; they get the next numbers.
    pub(crate) fn commit(&self, written: impl IntoIterator<Item = OutboxRow>) {
        let mut rows = self.rows();
        for row in written {
            let number = rows.last_key_value().map_or(1, |(last, _)| last + 1);
            rows.insert(number, OutboxRow { number, ..row });
        }
        self.left.send_replace(rows.len());
    }

    pub(crate) fn fail_removals(&self, times: usize) {
        *self.failing.lock().unwrap() = times;
    }

    /// Ends once everything was removed.
    pub(crate) async fn emptied(&self) {
        self.left.subscribe().wait_for(|left| *left == 0).await.unwrap();
    }
}

#[async_trait]
impl Outbox for MemoryOutbox {
    async fn committed(&self, _: &OutboxMark, max: usize) -> Result<OutboxPage> {
        self.looks.fetch_add(1, Ordering::Relaxed);
        let rows = self.rows().values().take(max).cloned().collect();
        Ok(OutboxPage { rows, mark: OutboxMark::default() })
    }

    async fn remove(&self, numbers: &[u64]) -> Result<()> {
        let mut failing = self.failing.lock().unwrap();
        if *failing > 0 {
            *failing -= 1;
            return Err(Error::new(ErrorKind::Unreachable, "the outbox went away"));
        }
        let mut rows = self.rows();
        rows.retain(|number, _| !numbers.contains(number));
        self.left.send_replace(rows.len());
        Ok(())
    }

    async fn forget_first_times(&self, before: Timestamp) -> Result<u64> {
        self.forgotten.send_replace(Some(before));
        Ok(0)
    }

    fn statements(&self) -> Option<&OutboxStatements> {
        None
    }
}

/// A row of `acme`.
pub(crate) fn row(event_type: &str, payload: &str) -> OutboxRow {
    OutboxRow {
        id: Uuid::now_v7(),
        event_type: Some(event_type.into()),
        tenant: Some("acme".into()),
        payload: Some(payload.into()),
        ..OutboxRow::default()
    }
}
