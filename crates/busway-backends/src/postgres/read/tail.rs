use std::collections::HashMap;

use busway_core::{Filter, LaneId, ReadPage, ReadRequest, Result, Seq, Tail};
use tokio_postgres::types::Type;

use super::bound;
use crate::postgres::{
    Postgres,
    columns::{column, unsigned_if},
    event_row::{COLUMNS, Decoder},
    pool::{Flow, Usage},
};

/// Bytes that are read in one go.
const MOST_BYTES: usize = 16 << 20;

impl Postgres {
    /// Reads several lanes on from their ends in one statement. Where more lies behind a place than that is for, the lane is
    /// read by itself.
    pub(in crate::postgres) async fn read_on(&self, places: &[(LaneId, Seq)], max: usize) -> Result<Tail> {
        let lanes: Vec<i16> = places.iter().map(|(lane, _)| lane.0.cast_signed()).collect();
        let afters: Vec<i64> = places.iter().map(|(_, after)| bound(*after)).collect();
        let index: HashMap<i16, usize> = lanes.iter().copied().zip(0..).collect();
        let page = |(_, after): &(LaneId, Seq)| ReadPage { entries: Vec::new(), looked: *after };
        let mut tail = Tail { pages: places.iter().map(page).collect(), more: false };
        let (mut decoder, mut bytes, mut behind) = (Decoder::new(Filter::default()), 0, Vec::new());
        let sql = format!("SELECT {COLUMNS} FROM {{schema}}.tail($1, $2, $3) AS e");
        let values =
            &[(&lanes as _, Type::INT2_ARRAY), (&afters as _, Type::INT8_ARRAY), (&bound(max as Seq) as _, Type::INT8)];
        let flow = self.pool.read_while(Usage::Often, &sql, values, |row| {
            let Some(place) = index.get(&column::<i16>(row, 1)?).copied() else { return Ok(Flow::More) };
            if unsigned_if(row, 0)?.is_none() {
                behind.push(place);
                return Ok(Flow::More);
            }
            if let Some(entry) = decoder.entry(row)? {
                bytes += entry.size();
                tail.pages[place].looked = entry.seq;
                tail.pages[place].entries.push(entry);
            }
            Ok(if bytes < MOST_BYTES { Flow::More } else { Flow::Enough })
        });
        tail.more = flow.await? == Flow::Enough || tail.pages.iter().any(|page| page.entries.len() >= max);
        for place in behind {
            let (lane, after) = places[place];
            tail.pages[place] = self.page(ReadRequest::after(lane, after, max)).await?;
            tail.more |= tail.pages[place].looked < self.shared.known.lane(lane).0;
        }
        Ok(tail)
    }
}
