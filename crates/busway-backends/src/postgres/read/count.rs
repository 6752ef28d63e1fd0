use busway_core::{LaneId, Result, Seq};
use tokio_postgres::types::{ToSql, Type};

use super::{bound, is_no_table};
use crate::postgres::{
    Postgres,
    columns::{column, only},
    known::{last_of, part_of},
};

/// Rows that are counted one by one from either end of a part; what lies between them is estimated.
const COUNTED: usize = 1_000;

impl Postgres {
    /// How many entries of a lane lie after a seq and up to another, without counting them all: seqs have gaps.
    pub(in crate::postgres) async fn count_between(&self, lane: LaneId, after: Seq, upto: Seq) -> Result<u64> {
        if self.shared.known.lane(lane).0 < upto {
            self.shared.hear_heads().await?;
        }
        let (head, pruned) = self.shared.known.lane(lane);
        let (after, upto) = (after.max(pruned), upto.min(head));
        let mut count = 0;
        for part in part_of(after.saturating_add(1)).max(self.shared.known.lowest())..=part_of(upto) {
            count += match self.count_in(part, lane, after, upto.min(last_of(part))).await {
                Err(error) if is_no_table(&error) => 0,
                counted => counted?,
            };
        }
        Ok(count)
    }

    async fn count_in(&self, part: u32, lane: LaneId, after: Seq, upto: Seq) -> Result<u64> {
        let some = |order: &str| {
            format!(
                "ARRAY(SELECT e.seq FROM {{schema}}.domain_events_{part} AS e
                       WHERE (e.lane, e.seq) > ($1, $2) AND (e.lane, e.seq) <= ($1, $3)
                       ORDER BY e.lane {order}, e.seq {order} LIMIT {COUNTED})"
            )
        };
        let sql = format!("SELECT {}, {}", some("ASC"), some("DESC"));
        let (lane, after, upto) = (lane.0.cast_signed(), bound(after), bound(upto));
        let values: [(&(dyn ToSql + Sync), Type); 3] = [(&lane, Type::INT2), (&after, Type::INT8), (&upto, Type::INT8)];
        let rows = self.pool.read(&sql, &values).await?;
        let row = only(rows)?;
        Ok(estimate(&column::<Vec<i64>>(&row, 0)?, &column::<Vec<i64>>(&row, 1)?))
    }
}

/// How many entries there are, by the first ones, ascending, and the last ones, descending: between the two they are
/// taken to lie as densely as in them.
fn estimate(first: &[i64], last: &[i64]) -> u64 {
    let (Some(end), Some(begin)) = (first.last(), last.last()) else { return 0 };
    let beyond = last.iter().take_while(|seq| *seq > end).count() as u64;
    if begin <= end || first.len() < COUNTED {
        return first.len() as u64 + beyond;
    }
    let span = |from: &i64, to: &i64| (to - from) as f64;
    let looked_at = span(&first[0], end) + span(begin, &last[0]);
    let steps = (first.len() + last.len() - 2) as f64;
    let between = (span(end, begin) * steps / looked_at.max(1.0) - 1.0).round();
    first.len() as u64 + beyond + between as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told of a part whose entries have these seqs.
    fn told(seqs: impl DoubleEndedIterator<Item = i64> + Clone) -> u64 {
        let first: Vec<i64> = seqs.clone().take(COUNTED).collect();
        let last: Vec<i64> = seqs.rev().take(COUNTED).collect();
        estimate(&first, &last)
    }

    #[test]
    fn fewer_than_two_thousand_are_counted_exactly_wherever_they_lie() {
        for count in [0, 1, 2, 999, 1_000, 1_001, 1_500, 1_999] {
            let crowded = (0..count).map(|n| if n < 700 { n } else { n << 12 });
            assert_eq!(told(crowded), count as u64);
        }
    }

    #[test]
    fn more_are_estimated_by_how_densely_they_lie_at_both_ends() {
        for step in [1, 8, 4_096] {
            let count = told((0..300_000).map(|n| n * step));
            assert!((299_000..=301_000).contains(&count), "{count} of 300,000 that are {step} apart");
        }
    }
}
