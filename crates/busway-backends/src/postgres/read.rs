mod count;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use busway_core::{Direction, Entry, ReadPage, ReadRequest, Result, Seq};
use tokio_postgres::{
    Row,
    types::{ToSql, Type},
};

use super::{
    Postgres,
    columns::unsigned,
    error::is_no_table,
    event_row::{COLUMNS, Decoder, seq},
    known::{last_of, part_of},
    pool::Flow,
    sieve::Sieve,
};

/// Rows that a read with a filter looks at in one go, so that a rare type does not keep the server for long.
const MOST_LOOKED_AT: i64 = 10_000;

/// What entries lately took, by which a page is asked for in as many rows as its bytes allow.
#[derive(Debug)]
pub(super) struct UsualSize(AtomicUsize);

impl UsualSize {
    pub(super) fn new() -> Self {
        Self(AtomicUsize::new(512))
    }

    /// Rows that fill so many bytes, and a few more.
    fn rows(&self, bytes: usize) -> usize {
        let rows = bytes / self.0.load(Ordering::Relaxed).max(1);
        rows.saturating_add(rows / 4).saturating_add(1)
    }

    fn seen(&self, rows: usize, bytes: usize) {
        if let Some(each) = bytes.checked_div(rows) {
            let usual = self.0.load(Ordering::Relaxed);
            self.0.store(usual.midpoint(each.max(64)), Ordering::Relaxed);
        }
    }
}

/// What became of reading a part.
enum Part {
    /// Everything that the request may want of it was looked at.
    Done,
    /// Only up to where [`Filling::looked`] says.
    Some,
}

/// A page as it fills.
struct Filling {
    request: ReadRequest,
    decoder: Decoder,
    entries: Vec<Arc<Entry>>,
    bytes: usize,
    /// Backward, excluded.
    looked: Seq,
}

impl Filling {
    fn of(request: ReadRequest) -> Self {
        let (decoder, looked) = (Decoder::new(request.filter.clone()), request.after);
        Self { request, decoder, entries: Vec::new(), bytes: 0, looked }
    }

    fn take(&mut self, row: &Row) -> Result<Flow> {
        self.looked = seq(row)?;
        if let Some(entry) = self.decoder.entry(row)? {
            self.bytes += entry.event().map_or(0, |event| event.payload.as_str().len());
            self.entries.push(entry);
        }
        let full = self.entries.len() >= self.request.max || self.bytes >= self.request.max_bytes;
        Ok(if full && !self.entries.is_empty() { Flow::Enough } else { Flow::More })
    }

    /// Rows to ask for.
    fn room(&self, usual: &UsualSize) -> usize {
        let rows = usual.rows(self.request.max_bytes.saturating_sub(self.bytes));
        rows.min(self.request.max.saturating_sub(self.entries.len())).max(1)
    }

    fn into_page(self, looked: Seq) -> ReadPage {
        ReadPage { entries: self.entries, looked }
    }
}

/// The parts of a statement that the direction decides. Lane and seq are compared as a pair: so the planner takes
/// the rows for many, however little it knows of a new part, and walks the index in place of sorting what is left of
/// the lane for each page.
struct Way {
    range: &'static str,
    order: &'static str,
}

const FORWARD: Way =
    Way { range: "(e.lane, e.seq) > ($1, $2) AND (e.lane, e.seq) <= ($1, $3)", order: "e.lane, e.seq" };
const BACKWARD: Way =
    Way { range: "(e.lane, e.seq) < ($1, $2) AND (e.lane, e.seq) >= ($1, $3)", order: "e.lane DESC, e.seq DESC" };

impl Way {
    fn of(direction: Direction) -> Self {
        if direction == Direction::Forward { FORWARD } else { BACKWARD }
    }

    fn page(&self, part: u32, condition: &str) -> String {
        let Self { range, order } = self;
        format!(
            "SELECT {COLUMNS} FROM {{schema}}.domain_events_{part} AS e
             WHERE {range} AND e.seq > (SELECT pruned FROM {{schema}}.lanes WHERE lane = $1){condition}
             ORDER BY {order} LIMIT $4"
        )
    }

    /// The seq of the last row to be looked at, if there are more.
    fn edge(&self, part: u32) -> String {
        let Self { range, order } = self;
        format!(
            "SELECT e.seq FROM {{schema}}.domain_events_{part} AS e WHERE {range} ORDER BY {order}
             OFFSET {} LIMIT 1",
            MOST_LOOKED_AT - 1
        )
    }
}

impl Postgres {
    /// Reads a page, part by part of the log. Where the lane ends is known from before the parts are read, so all
    /// of it is there to be seen.
    pub(super) async fn page(&self, request: ReadRequest) -> Result<ReadPage> {
        let forward = request.direction == Direction::Forward;
        let (known, _) = self.shared.known.lane(request.lane);
        if known < if forward { request.after.saturating_add(1) } else { request.after.saturating_sub(1) } {
            self.shared.hear_heads().await?;
        }
        let (head, pruned) = self.shared.known.lane(request.lane);
        let filling = Filling::of(request);
        if forward { self.forward(filling, head, pruned).await } else { self.backward(filling, head).await }
    }

    async fn forward(&self, mut filling: Filling, head: Seq, pruned: Seq) -> Result<ReadPage> {
        let ReadRequest { after, until, .. } = filling.request;
        let end = head.min(until).max(after);
        let sieve = Sieve::of(&filling.request.filter);
        filling.looked = after.max(pruned.min(end));
        let mut part = part_of(filling.looked + 1).max(self.shared.known.lowest());
        while part <= part_of(end) && filling.looked < end {
            let until = until.min(last_of(part));
            if let Part::Some = self.fill(&mut filling, &sieve, part, until).await? {
                let looked = filling.looked;
                return Ok(filling.into_page(looked));
            }
            part = (part + 1).max(self.shared.known.lowest());
        }
        let looked = filling.looked.max(end);
        Ok(filling.into_page(looked))
    }

    async fn backward(&self, mut filling: Filling, head: Seq) -> Result<ReadPage> {
        let sieve = Sieve::of(&filling.request.filter);
        filling.looked = filling.request.after.min(head.saturating_add(1));
        let mut part = part_of(filling.looked.saturating_sub(1));
        while part >= self.shared.known.lowest() {
            if let Part::Some = self.fill(&mut filling, &sieve, part, 0).await? {
                let looked = filling.looked;
                return Ok(filling.into_page(looked));
            }
            part -= 1;
        }
        Ok(filling.into_page(0))
    }

    /// Goes on in one part, up or down to `until`.
    async fn fill(&self, filling: &mut Filling, sieve: &Sieve, part: u32, until: Seq) -> Result<Part> {
        match self.fill_from(filling, sieve, part, until).await {
            Err(error) if is_no_table(&error) => {
                self.shared.hear_heads().await?;
                if part < self.shared.known.lowest() { Ok(Part::Done) } else { Err(error) }
            }
            filled => filled,
        }
    }

    async fn fill_from(&self, filling: &mut Filling, sieve: &Sieve, part: u32, until: Seq) -> Result<Part> {
        let way = Way::of(filling.request.direction);
        let lane = filling.request.lane.0.cast_signed();
        let (from, until) = (bound(filling.looked), bound(until));
        let limit = filling.room(&self.usual_size);
        let edge = if sieve.is_open() { None } else { self.edge(&way, part, lane, from, until).await? };
        let until = edge.map_or(until, bound);
        let limited = i64::try_from(limit).unwrap_or(i64::MAX);
        let (condition, chosen) = sieve.condition(5);
        let mut values: Vec<(&(dyn ToSql + Sync), Type)> =
            vec![(&lane, Type::INT2), (&from, Type::INT8), (&until, Type::INT8), (&limited, Type::INT8)];
        values.extend(chosen);
        let (mut rows, bytes) = (0, filling.bytes);
        let sql = way.page(part, &condition);
        let flow = self.pool.read_while(&sql, &values, |row| {
            rows += 1;
            filling.take(row)
        });
        let flow = flow.await?;
        self.usual_size.seen(rows, filling.bytes - bytes);
        if flow == Flow::Enough || rows == limit {
            return Ok(Part::Some);
        }
        match edge {
            Some(edge) => {
                filling.looked = edge;
                Ok(Part::Some)
            }
            None => Ok(Part::Done),
        }
    }

    async fn edge(&self, way: &Way, part: u32, lane: i16, from: i64, until: i64) -> Result<Option<Seq>> {
        let values = [(&lane as &(dyn ToSql + Sync), Type::INT2), (&from, Type::INT8), (&until, Type::INT8)];
        let rows = self.pool.read(&way.edge(part), &values).await?;
        rows.first().map(|row| unsigned(row, 0)).transpose()
    }
}

/// A seq as PostgreSQL has it; what is beyond all is the highest.
pub(super) fn bound(seq: Seq) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
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
