use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use busway_core::{Entry, ReadPage, ReadRequest, Result, Seq};
use tokio_postgres::Row;

use crate::postgres::{
    event_row::{Decoder, seq},
    pool::Flow,
};

/// What entries lately took, by which a page is asked for in as many rows as its bytes allow.
#[derive(Debug)]
pub(in crate::postgres) struct UsualSize(AtomicUsize);

impl UsualSize {
    pub(in crate::postgres) fn new() -> Self {
        Self(AtomicUsize::new(512))
    }

    /// Rows that fill so many bytes, and a few more.
    fn rows(&self, bytes: usize) -> usize {
        let rows = bytes / self.0.load(Ordering::Relaxed).max(1);
        rows.saturating_add(rows / 4).saturating_add(1)
    }

    pub(super) fn seen(&self, rows: usize, bytes: usize) {
        if let Some(each) = bytes.checked_div(rows) {
            let usual = self.0.load(Ordering::Relaxed);
            self.0.store(usual.midpoint(each.max(64)), Ordering::Relaxed);
        }
    }
}

/// A page as it fills.
pub(super) struct Filling {
    pub(super) request: ReadRequest,
    decoder: Decoder,
    entries: Vec<Arc<Entry>>,
    /// Rows seen, wanted or not.
    rows: usize,
    bytes: usize,
    /// How far was looked; backward, excluded.
    pub(super) looked: Seq,
}

impl Filling {
    pub(super) fn of(request: ReadRequest) -> Self {
        let (decoder, looked) = (Decoder::new(request.filter.clone()), request.after);
        Self { request, decoder, entries: Vec::new(), rows: 0, bytes: 0, looked }
    }

    /// Takes a row, and tells whether the page is full.
    pub(super) fn take(&mut self, row: &Row) -> Result<Flow> {
        self.looked = seq(row)?;
        self.rows += 1;
        if let Some(entry) = self.decoder.entry(row)? {
            self.bytes += entry.event().map_or(0, |event| event.payload.as_str().len());
            self.entries.push(entry);
        }
        let full = self.entries.len() >= self.request.max || self.bytes >= self.request.max_bytes;
        Ok(if full && !self.entries.is_empty() { Flow::Enough } else { Flow::More })
    }

    /// Rows to ask for.
    pub(super) fn room(&self, usual: &UsualSize) -> usize {
        let rows = usual.rows(self.request.max_bytes.saturating_sub(self.bytes));
        rows.min(self.request.max.saturating_sub(self.entries.len())).max(1)
    }

    pub(super) fn into_page(self, looked: Seq) -> ReadPage {
        ReadPage { entries: self.entries, looked }
    }

    /// Rows and bytes so far.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.rows, self.bytes)
    }

    /// Rows and bytes since it had this size.
    pub(super) fn since(&self, (rows, bytes): (usize, usize)) -> (usize, usize) {
        (self.rows - rows, self.bytes - bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_rows_are_asked_for_as_their_bytes_allow() {
        let usual = UsualSize::new();
        assert!(usual.rows(16 << 20) > 1_000);
        (0..20).for_each(|_| usual.seen(10, 10 * 256 * 1_024));
        assert!((64..=90).contains(&usual.rows(16 << 20)), "{}", usual.rows(16 << 20));
        assert_eq!(usual.rows(0), 1);
    }
}
