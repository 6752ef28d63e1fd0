mod count;
mod filling;
mod tail;

use busway_core::{Direction, ReadPage, ReadRequest, Result, Seq};
use tokio_postgres::types::Type;

use super::{
    Postgres,
    error::is_no_table,
    event_row::{COLUMNS, edge_of, is_edge},
    known::{last_of, part_of},
    pool::{Flow, Usage, Values},
    sieve::Sieve,
};
use filling::Filling;

pub(super) use filling::UsualSize;

/// Rows that a read with a filter looks at, so that a rare type does not keep the server for long.
const MOST_LOOKED_AT: usize = 10_000;
/// For each entry wanted it first looks at so many rows, then, while too few were found, at so many times as many.
const LOOKED_AT_FOR_EACH: usize = 4;
const FEWEST_LOOKED_AT: usize = 256;

/// What became of reading a part.
enum Part {
    /// Everything that the request may want of it was looked at.
    Done,
    /// Only up to where [`Filling::looked`] says.
    Some,
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

    fn statement(&self, part: u32) -> String {
        let Self { range, order } = self;
        format!(
            "SELECT {COLUMNS} FROM {{schema}}.domain_events_{part} AS e
             WHERE {range} AND e.seq > (SELECT pruned FROM {{schema}}.lanes WHERE lane = $1)
             ORDER BY {order} LIMIT $4"
        )
    }
}

const SIFT: &str = "SELECT {columns} FROM {schema}.sift($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) AS e";

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
        let wanted = filling.room(&self.usual_size);
        let before = filling.size();
        let (flow, edge) = if sieve.is_open() {
            (self.take_all(filling, part, until, wanted).await?, None)
        } else {
            self.sift_on(filling, sieve, part, until, wanted).await?
        };
        let (rows, bytes) = filling.since(before);
        self.usual_size.seen(rows, bytes);
        match edge {
            _ if flow == Flow::Enough || rows >= wanted => Ok(Part::Some),
            None => Ok(Part::Done),
            Some(edge) => {
                filling.looked = edge;
                Ok(Part::Some)
            }
        }
    }

    async fn take_all(&self, filling: &mut Filling, part: u32, until: Seq, wanted: usize) -> Result<Flow> {
        let way = Way::of(filling.request.direction);
        let values: Values<'_> = &[
            (&filling.request.lane.0.cast_signed(), Type::INT2),
            (&bound(filling.looked), Type::INT8),
            (&bound(until), Type::INT8),
            (&bound(wanted as Seq), Type::INT8),
        ];
        self.pool.read_while(Usage::Seldom, &way.statement(part), values, |row| filling.take(row)).await
    }

    /// As [`sift`](Self::sift), looking at ever more rows until it has what is wanted or has looked at enough for one read.
    async fn sift_on(
        &self,
        filling: &mut Filling,
        sieve: &Sieve,
        part: u32,
        until: Seq,
        mut wanted: usize,
    ) -> Result<(Flow, Option<Seq>)> {
        let mut left = MOST_LOOKED_AT;
        let mut look_at = wanted.saturating_mul(LOOKED_AT_FOR_EACH).clamp(FEWEST_LOOKED_AT, left);
        loop {
            let before = filling.size();
            let (flow, edge) = self.sift(filling, sieve, part, until, wanted, look_at).await?;
            left -= look_at;
            wanted = wanted.saturating_sub(filling.since(before).0);
            look_at = (look_at * LOOKED_AT_FOR_EACH).min(left);
            match edge {
                Some(edge) if flow == Flow::More && wanted > 0 && look_at > 0 => filling.looked = edge,
                _ => return Ok((flow, edge)),
            }
        }
    }

    /// As [`take_all`](Self::take_all), without most of what the filter does not want, of so many rows; also tells the last
    /// seq that was looked at, if there are more and fewer than wanted were found.
    async fn sift(
        &self,
        filling: &mut Filling,
        sieve: &Sieve,
        part: u32,
        until: Seq,
        wanted: usize,
        look_at: usize,
    ) -> Result<(Flow, Option<Seq>)> {
        let look_at = i32::try_from(look_at).unwrap_or(i32::MAX);
        let values: Values<'_> = &[
            (&part.cast_signed(), Type::INT4),
            (&filling.request.lane.0.cast_signed(), Type::INT2),
            (&bound(filling.looked), Type::INT8),
            (&bound(until), Type::INT8),
            (&(filling.request.direction == Direction::Backward), Type::BOOL),
            (&sieve.types(), Type::TEXT_ARRAY),
            (&sieve.prefixes(), Type::TEXT_ARRAY),
            (&sieve.shapes(), Type::TEXT_ARRAY),
            (&sieve.tenant(), Type::TEXT),
            (&sieve.except(), Type::TEXT_ARRAY),
            (&bound(wanted as Seq), Type::INT8),
            (&look_at, Type::INT4),
        ];
        let (sql, mut edge) = (SIFT.replace("{columns}", COLUMNS), None);
        let flow = self.pool.read_while(Usage::Seldom, &sql, values, |row| {
            if is_edge(row)? {
                edge = edge_of(row)?;
                return Ok(Flow::More);
            }
            filling.take(row)
        });
        Ok((flow.await?, edge))
    }
}

/// A seq as PostgreSQL has it; what is beyond all is the highest.
pub(super) fn bound(seq: Seq) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}
