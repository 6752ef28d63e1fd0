use std::time::Duration;

use busway_core::{Age, Finding, Result};
use tokio_postgres::types::Type;

use crate::postgres::{
    Postgres,
    columns::{column, only},
};

/// How long an event may wait in the outbox before it is looked at a second time: it is moved within a second, unless
/// the transaction that published it was long.
const LONG: Duration = Duration::from_secs(300);
/// After how long it is looked at a second time: longer than from one beat of a living process to the next.
const AGAIN: Duration = Duration::from_secs(5);

impl Postgres {
    /// Whether what callers have committed to the outbox is moved into the log.
    pub(super) async fn outbox(&self) -> Result<Finding> {
        let first = self.waiting().await?;
        if first.oldest.is_none() {
            return Ok(judge(&first, &first));
        }
        tokio::time::sleep(AGAIN).await;
        Ok(judge(&first, &self.waiting().await?))
    }

    async fn waiting(&self) -> Result<Waiting> {
        let sql = "SELECT (SELECT count(*) FROM {schema}.outbox), o.number, o.age::float8,
                          (SELECT m.record FROM {schema}.leases AS l JOIN {schema}.members AS m ON m.id = l.holder
                           WHERE l.name = 'relay')
                   FROM (VALUES (true)) AS one(row) LEFT JOIN (
                       SELECT number, extract(epoch FROM clock_timestamp() - \"time\") AS age FROM {schema}.outbox
                       WHERE isfinite(\"time\") AND \"time\" < clock_timestamp() - $1 * interval '1 second'
                       ORDER BY number LIMIT 1) AS o ON true";
        let row = only(self.pool.read(sql, &[(&LONG.as_secs_f64(), Type::FLOAT8)]).await?)?;
        let oldest = match (column::<Option<i64>>(&row, 1)?, column::<Option<f64>>(&row, 2)?) {
            (Some(number), Some(age)) => Some((number, Duration::try_from_secs_f64(age).unwrap_or_default())),
            _ => None,
        };
        Ok(Waiting { count: column::<i64>(&row, 0)?.unsigned_abs(), oldest, relay: column(&row, 3)? })
    }
}

/// What waits in the outbox at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Waiting {
    count: u64,
    /// The first row that is old, and its age.
    oldest: Option<(i64, Duration)>,
    /// Who relays, as it wrote with its last beat.
    relay: Option<String>,
}

fn judge(first: &Waiting, second: &Waiting) -> Finding {
    let count = second.count;
    let events = if count == 1 { "1 event waits".into() } else { format!("{count} events wait") };
    let Some((number, age)) = second.oldest else {
        return Finding::ok("outbox", format!("{events} in the outbox, none for long"));
    };
    let found = format!("{events} in the outbox, row {number} of it for {}", Age(age));
    if first.oldest.is_none_or(|(before, _)| before != number) {
        let detail = format!("{found}: they are moved into the log, but come late");
        let remedy = "look again soon; if they do not become fewer, more is published than one process moves";
        return Finding::warn("outbox", detail, remedy);
    }
    if first.relay == second.relay {
        let detail = format!("{found}, and no process moves them into the log");
        let remedy = "start `busway serve`, or a process that embeds Busway: one of them does it for all";
        return Finding::fail("outbox", detail, remedy);
    }
    let detail = format!("{found}, though a process is there to move them into the log");
    let remedy = "the log of that process says why \"the outbox is held up\"; a lock on busway's tables does so, see \
                  oldest_transaction";
    Finding::fail("outbox", detail, remedy)
}

#[cfg(test)]
mod tests {
    use busway_core::Level;

    use super::*;

    fn waiting(number: i64, relay: &str) -> Waiting {
        Waiting { count: 3, oldest: Some((number, Duration::from_secs(420))), relay: Some(relay.into()) }
    }

    fn told(first: &Waiting, second: &Waiting) -> (Level, String) {
        let finding = judge(first, second);
        assert_eq!(finding.check, "outbox");
        (finding.level, finding.detail)
    }

    #[test]
    fn what_stays_where_it_is_fails_by_whether_somebody_is_there_to_move_it() {
        let (level, detail) = told(&waiting(7, "a 1"), &waiting(7, "a 1"));
        assert_eq!(level, Level::Fail);
        assert_eq!(
            detail,
            "3 events wait in the outbox, row 7 of it for 7 min, and no process moves them into the log"
        );
        let (level, detail) = told(&waiting(7, "a 1"), &waiting(7, "a 2"));
        assert_eq!(level, Level::Fail);
        assert!(detail.ends_with("though a process is there to move them into the log"), "{detail}");
    }

    #[test]
    fn what_moves_slowly_is_a_warning_and_what_is_gone_is_well() {
        assert_eq!(told(&waiting(7, "a 1"), &waiting(9, "a 1")).0, Level::Warn);
        let gone = Waiting { count: 1, ..Waiting::default() };
        assert_eq!(told(&waiting(7, "a 1"), &gone), (Level::Ok, "1 event waits in the outbox, none for long".into()));
        let empty = told(&Waiting::default(), &Waiting::default());
        assert_eq!(empty, (Level::Ok, "0 events wait in the outbox, none for long".into()));
    }
}
