use std::time::SystemTime;

use async_trait::async_trait;
use busway_core::{Error, ErrorKind, Outbox, OutboxMark, OutboxPage, OutboxRow, OutboxStatements, Result, Timestamp};
use tokio_postgres::{Row, types::Type};

use super::{
    Postgres,
    columns::{column, only, unsigned},
    error::corrupt,
    names::Names,
    pool::Values,
};

/// Most bytes of payloads of one page, if it has more than one row.
const PAGE_BYTES: i64 = 16 << 20;
/// Pages of marks that one statement looks at: 4 MB, some 40,000 marks.
const FORGET: usize = 512;
/// Rows after a snapshot, and rows within one: after `$2`, at most `$3`.
const AFTER: &str = "{schema}.outbox_after($1::text::pg_snapshot, $3)";
const WITHIN: &str = "{schema}.outbox_within($1::text::pg_snapshot, $2, $3)";

/// What of a page is wanted, and after which snapshot a row is seen, so that no row is missed and none overtakes.
///
/// A row shows itself when its transaction is committed, which need not be in the order of numbers. So what is new
/// after a snapshot is found by transactions: those that it saw running, and those that began later. What one page
/// cannot hold is read on by numbers, without what was committed since: that belongs to the next round.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place<'a> {
    /// Before every row.
    Beginning,
    /// After what this snapshot saw.
    After(&'a str),
    /// Within what this snapshot saw, after this number.
    Within(&'a str, u64),
}

impl<'a> Place<'a> {
    fn of(mark: &'a OutboxMark) -> Result<Self> {
        if mark.0.is_empty() {
            return Ok(Self::Beginning);
        }
        let Some((snapshot, number)) = mark.0.split_once(' ') else { return Ok(Self::After(&mark.0)) };
        let unreadable = |_| Error::new(ErrorKind::BadRequest, format!("{:?} is no mark of this outbox", mark.0));
        Ok(Self::Within(snapshot, number.parse().map_err(unreadable)?))
    }
}

/// The caller's statements for a schema. Every parameter is text, so that each driver binds them the same way.
pub(super) fn statements(schema: &str) -> OutboxStatements {
    let names = Names::new(schema);
    OutboxStatements {
        publish: names.fill(
            "SELECT {schema}.publish($1::text, $2::text, $3::text, $4::text, $5::text, $6::text::uuid, \
             timestamptz 'epoch' + $7::text::bigint * interval '1 millisecond')::text",
        ),
        first_time: names.fill("SELECT {schema}.first_time($1::text, $2::text::uuid, $3::text)::text"),
    }
}

/// A page of these rows, up to `$4` bytes, and the snapshot that the statement sees.
fn statement(rows: &str) -> String {
    format!(
        "SELECT pg_current_snapshot()::text, r.number, r.id, r.type, r.tenant, r.key, r.payload, r.metadata,
                CASE WHEN isfinite(r.\"time\") THEN floor(extract(epoch FROM r.\"time\") * 1000)::bigint END,
                r.listed
         FROM (SELECT) AS one LEFT JOIN (
             SELECT *, count(*) OVER () AS listed,
                    sum(octet_length(payload)) OVER (ORDER BY number ROWS UNBOUNDED PRECEDING)
                        - octet_length(payload) AS before
             FROM {rows}) AS r ON coalesce(r.before, 0) < $4
         ORDER BY r.number"
    )
}

impl Postgres {
    async fn outbox_page(&self, place: &Place<'_>, max: usize) -> Result<OutboxPage> {
        let (rows, snapshot, above) = match *place {
            Place::Beginning => (WITHIN, None, 0),
            Place::After(snapshot) => (AFTER, Some(snapshot), 0),
            Place::Within(snapshot, number) => (WITHIN, Some(snapshot), number.cast_signed()),
        };
        let most = i32::try_from(max).unwrap_or(i32::MAX);
        let values: Values<'_> =
            &[(&snapshot, Type::TEXT), (&above, Type::INT8), (&most, Type::INT4), (&PAGE_BYTES, Type::INT8)];
        let found = self.pool.read(&statement(rows), values).await?;
        let first = found.first().ok_or_else(|| corrupt("a page of the outbox has no first row"))?;
        let (now, listed): (&str, Option<i64>) = (column(first, 0)?, column(first, 9)?);
        let listed = listed.unwrap_or_default();
        let rows = if listed == 0 { Vec::new() } else { found.iter().map(row).collect::<Result<Vec<_>>>()? };
        let is_whole = listed < i64::from(most) && rows.len() as i64 == listed;
        let seen = match *place {
            Place::Within(snapshot, _) => snapshot,
            Place::Beginning | Place::After(_) => now,
        };
        let mark = match rows.last().filter(|_| !is_whole) {
            Some(last) => format!("{seen} {}", last.number),
            None => seen.to_owned(),
        };
        Ok(OutboxPage { rows, mark: OutboxMark(mark) })
    }
}

#[async_trait]
impl Outbox for Postgres {
    async fn committed(&self, from: &OutboxMark, max: usize) -> Result<OutboxPage> {
        let place = Place::of(from)?;
        let page = self.outbox_page(&place, max).await?;
        match place {
            // What is left of a snapshot may be nothing: then what was committed since is next.
            Place::Within(snapshot, _) if page.rows.is_empty() => self.outbox_page(&Place::After(snapshot), max).await,
            _ => Ok(page),
        }
    }

    async fn remove(&self, numbers: &[u64]) -> Result<()> {
        let numbers: Vec<i64> = numbers.iter().map(|number| number.cast_signed()).collect();
        let sql = "SELECT {schema}.remove_from_outbox($1)";
        self.pool.write(sql, &[(&numbers, Type::INT8_ARRAY)]).await.map(drop)
    }

    async fn forget_first_times(&self, before: Timestamp) -> Result<u64> {
        let sql = "SELECT met_before, pages
                   FROM {schema}.forgettable_first_times(timestamptz 'epoch' + $1 * interval '1 millisecond')";
        let found = only(self.pool.read(sql, &[(&before.as_millis(), Type::INT8)]).await?)?;
        let (met_before, pages): (SystemTime, i64) = (column(&found, 0)?, column(&found, 1)?);
        let mut forgotten = 0;
        for page in (0..pages).step_by(FORGET) {
            let next = page + FORGET as i64;
            let values: Values<'_> = &[(&met_before, Type::TIMESTAMPTZ), (&page, Type::INT8), (&next, Type::INT8)];
            let row = only(self.pool.write("SELECT {schema}.forget_first_times($1, $2, $3)", values).await?)?;
            forgotten += column::<i64>(&row, 0)?.unsigned_abs();
        }
        Ok(forgotten)
    }

    fn statements(&self) -> Option<&OutboxStatements> {
        Some(&self.statements)
    }
}

fn row(row: &Row) -> Result<OutboxRow> {
    Ok(OutboxRow {
        number: unsigned(row, 1)?,
        id: column(row, 2)?,
        event_type: column(row, 3)?,
        tenant: column(row, 4)?,
        key: column(row, 5)?,
        payload: column(row, 6)?,
        metadata: column(row, 7)?,
        time: column::<Option<i64>>(row, 8)?.map(Timestamp::from_millis),
    })
}
