mod outbox;

use std::time::Duration;

use busway_core::{Age, Finding, Result, Size};
use tokio_postgres::{Row, types::Type};

use super::{
    Postgres,
    columns::{column, only},
    config::Listen,
    listener::Listener,
};

/// How old an open transaction may be before it is told of: what it keeps from being cleaned up costs by then.
const OLD: Duration = Duration::from_secs(60);
/// Dead rows of a table that autovacuum leaves behind between two of its rounds, however busy the table is.
const USUALLY_DEAD: i64 = 100_000;

impl Postgres {
    /// What this server is like, and what holds the store up.
    pub(super) async fn look_after(&self) -> Result<Vec<Finding>> {
        let mut findings = self.settings().await?;
        findings.push(self.notifications().await);
        findings.push(self.statements());
        findings.push(self.oldest_transaction().await?);
        findings.extend(self.bloat().await?);
        findings.extend(self.parts().await?);
        findings.push(self.outbox().await?);
        Ok(findings)
    }

    async fn settings(&self) -> Result<Vec<Finding>> {
        let sql = "SELECT current_setting('server_version'), (SELECT value FROM {schema}.meta WHERE key = 'version'),
                          current_setting('fsync')::boolean, current_setting('full_page_writes')::boolean,
                          current_setting('synchronous_commit'), current_user::text,
                          pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean,
                          current_setting('autovacuum')::boolean";
        let row = only(self.pool.read(sql, &[]).await?)?;
        let (server, schema): (&str, Option<&str>) = (column(&row, 0)?, column(&row, 1)?);
        let place = self.config.place();
        let version = format!(
            "PostgreSQL {server} at {place}, schema `{}` of version {}",
            self.config.schema,
            schema.unwrap_or("?")
        );
        let mut findings = vec![Finding::ok("version", version)];
        findings.push(if column(&row, 2)? {
            Finding::ok("fsync", "fsync is on")
        } else {
            let detail = "fsync is off: a crash of the machine can destroy the whole database";
            Finding::fail("fsync", detail, "ALTER SYSTEM SET fsync = on; SELECT pg_reload_conf()")
        });
        if !column::<bool>(&row, 3)? {
            let detail = "full_page_writes is off: a crash of the machine can damage tables";
            let remedy = "ALTER SYSTEM SET full_page_writes = on; SELECT pg_reload_conf()";
            findings.push(Finding::fail("full_page_writes", detail, remedy));
        }
        findings.push(match column(&row, 4)? {
            "off" => {
                let user: &str = column(&row, 5)?;
                let remedy =
                    format!("ALTER ROLE \"{user}\" SET synchronous_commit = on, then start what uses Busway again");
                Finding::warn("synchronous_commit", "synchronous_commit is off: a crash loses events", remedy)
            }
            value => Finding::ok("synchronous_commit", format!("synchronous_commit is {value}")),
        });
        if column(&row, 6)? {
            let detail = format!("PostgreSQL at {place} is read-only: nothing can be published or settled");
            findings.push(Finding::fail("read_only", detail, "use the address of the primary"));
        }
        if !column::<bool>(&row, 7)? {
            let detail = "autovacuum is off: tables grow with every change";
            let remedy = "ALTER SYSTEM SET autovacuum = on; SELECT pg_reload_conf()";
            findings.push(Finding::warn("autovacuum", detail, remedy));
        }
        Ok(findings)
    }

    /// Whether a notification that is sent now arrives.
    async fn notifications(&self) -> Finding {
        let by = match &self.config.listen {
            Listen::Off => {
                return Finding::ok("notifications", "notifications are off, as configured: the log is polled");
            }
            Listen::Same => self.config.place(),
            Listen::At(host, port) => format!("{host}:{port}, past any pooler"),
        };
        let Err(error) = self.hear_one().await else {
            return Finding::ok("notifications", format!("notifications arrive by {by}"));
        };
        let detail = format!(
            "notifications do not arrive by {by}, as behind a pooler in transaction mode: the log is polled, so events \
             come up to a second late ({})",
            error.detail()
        );
        let remedy = "add `listen=host:port` to the URL, an address of the same server that leads past the pooler";
        Finding::warn("notifications", detail, remedy)
    }

    /// Whether statements that are run often are prepared.
    fn statements(&self) -> Finding {
        Finding::ok(
            "statements",
            match self.pool.is_direct() {
                true => "statements that are run often are prepared",
                false => "statements are not prepared, since a pooler stands between some connection and the server",
            },
        )
    }

    async fn hear_one(&self) -> Result<()> {
        match Listener::open(&self.config).await? {
            Some(mut listener) => listener.test(&self.pool, self.shared.bell.note()).await,
            None => Ok(()),
        }
    }

    async fn oldest_transaction(&self) -> Result<Finding> {
        let sql = "SELECT a.pid, a.gid, a.what, extract(epoch FROM clock_timestamp() - a.began)::float8,
                          pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')
                   FROM (VALUES (true)) AS one(row) LEFT JOIN (
                       SELECT pid, NULL AS gid, concat_ws(', ', state, nullif(application_name, ''), usename) AS what,
                              xact_start AS began
                       FROM pg_stat_activity
                       WHERE backend_type = 'client backend' AND datname = current_database()
                         AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
                       UNION ALL
                       SELECT NULL, gid, concat('prepared, ', owner), prepared FROM pg_prepared_xacts
                       WHERE database = current_database()
                       ORDER BY 4 LIMIT 1) AS a ON true";
        let row = only(self.pool.read(sql, &[]).await?)?;
        let open = match (column::<Option<f64>>(&row, 3)?, Open::read(&row)?) {
            (Some(seconds), Some(open)) => Some((open, Duration::try_from_secs_f64(seconds).unwrap_or_default())),
            _ => None,
        };
        Ok(judge_transaction(open, column(&row, 4)?))
    }

    async fn bloat(&self) -> Result<Vec<Finding>> {
        let sql = "SELECT relname::text, n_live_tup, n_dead_tup, pg_total_relation_size(relid) FROM pg_stat_user_tables
                   WHERE schemaname = $1 AND n_dead_tup > $2 AND n_dead_tup > n_live_tup ORDER BY n_dead_tup DESC";
        let values = [
            (&self.config.schema as &(dyn tokio_postgres::types::ToSql + Sync), Type::TEXT),
            (&USUALLY_DEAD, Type::INT8),
        ];
        let rows = self.pool.read(sql, &values).await?;
        let bloated = rows.iter().map(|row| {
            let (table, live, dead): (&str, i64, i64) = (column(row, 0)?, column(row, 1)?, column(row, 2)?);
            let (size, table) =
                (Size(column::<i64>(row, 3)?.unsigned_abs()), format!("{}.{table}", self.config.schema));
            let detail = format!("table {table} has {dead} dead rows beside {live} live ones, {size} in all");
            let remedy = format!("end the oldest transaction, then VACUUM {table}");
            Ok(Finding::warn("bloat", detail, remedy).about(table))
        });
        let mut findings = bloated.collect::<Result<Vec<_>>>()?;
        if findings.is_empty() {
            findings.push(Finding::ok("bloat", "no table has more dead rows than live ones"));
        }
        Ok(findings)
    }

    async fn parts(&self) -> Result<Vec<Finding>> {
        let sql = "SELECT p.number, p.began IS NOT NULL, t.oid IS NOT NULL,
                          EXISTS (SELECT FROM pg_inherits WHERE inhrelid = t.oid), pg_total_relation_size(t.oid)
                   FROM {schema}.parts AS p, LATERAL (
                       SELECT to_regclass(format('{schema}.%I', format('domain_events_%s', p.number)))) AS t(oid)
                   ORDER BY p.number";
        let rows = self.pool.read(sql, &[]).await?;
        let parts = rows.iter().map(Part::read).collect::<Result<Vec<_>>>()?;
        Ok(judge_parts(&parts, &self.config.schema))
    }
}

/// Who keeps a transaction open.
struct Open {
    /// The session; none of a prepared transaction.
    pid: Option<i32>,
    gid: Option<String>,
    what: String,
}

impl Open {
    fn read(row: &Row) -> Result<Option<Self>> {
        let (pid, gid, what): (_, _, Option<String>) = (column(row, 0)?, column(row, 1)?, column(row, 2)?);
        Ok(what.map(|what| Self { pid, gid, what }))
    }
}

fn judge_transaction(open: Option<(Open, Duration)>, sees_all: bool) -> Finding {
    let unseen = if sees_all { "" } else { "; sessions of other roles cannot be seen without pg_read_all_stats" };
    let Some((Open { pid, gid, what }, age)) = open else {
        return Finding::ok("oldest_transaction", format!("no transaction is open{unseen}"));
    };
    let (whose, remedy) = match (pid, gid) {
        (Some(pid), _) => (
            format!("session {pid} ({what})"),
            format!(
                "end it: SELECT pg_terminate_backend({pid}); idle_in_transaction_session_timeout ends such by itself"
            ),
        ),
        (None, gid) => {
            let gid = gid.unwrap_or_default();
            (format!("`{gid}` ({what})"), format!("COMMIT PREPARED or ROLLBACK PREPARED '{}'", gid.replace('\'', "''")))
        }
    };
    let found = format!("the oldest transaction has been open for {}, of {whose}", Age(age));
    if age <= OLD {
        return Finding::ok("oldest_transaction", format!("{found}{unseen}"));
    }
    let detail = format!("{found}: what changes meanwhile cannot be cleaned up");
    Finding::warn("oldest_transaction", detail, remedy)
}

/// A part of the log, as its catalogue has it.
#[derive(Clone, Copy)]
struct Part {
    number: i32,
    begun: bool,
    there: bool,
    attached: bool,
    bytes: u64,
}

impl Part {
    fn read(row: &Row) -> Result<Self> {
        let bytes = column::<Option<i64>>(row, 4)?.unwrap_or_default().unsigned_abs();
        let (number, begun) = (column(row, 0)?, column(row, 1)?);
        Ok(Self { number, begun, there: column(row, 2)?, attached: column(row, 3)?, bytes })
    }
}

fn judge_parts(parts: &[Part], schema: &str) -> Vec<Finding> {
    let newest = parts.iter().filter(|part| part.begun).map(|part| part.number).max().unwrap_or_default();
    let is_gone = |part: &&Part| part.begun && (!part.there || part.number == newest && !part.attached);
    let mut findings: Vec<Finding> = parts
        .iter()
        .filter(is_gone)
        .map(|part| {
            let table = format!("{schema}.domain_events_{}", part.number);
            let detail = format!("part {table} of the log is gone, with all events that were in it");
            Finding::fail("parts", detail, "restore the database from a backup").about(table)
        })
        .collect();
    if !parts.iter().any(|part| part.number > newest && part.attached) {
        let detail = format!(
            "no part of the log lies ready after {schema}.domain_events_{newest}, which grows on beyond its size"
        );
        let remedy = format!(
            "Busway makes one within a minute; if none comes, let its role create tables (GRANT CREATE ON SCHEMA {schema}) \
             and end what reads the log for long"
        );
        findings.push(Finding::warn("parts", detail, remedy).about(format!("{schema}.domain_events_{}", newest + 1)));
    }
    if findings.is_empty() {
        let size = Size(parts.iter().map(|part| part.bytes).sum());
        let begun = parts.iter().filter(|part| part.begun).count();
        let of = if begun == 1 { "1 part".to_owned() } else { format!("{begun} parts") };
        findings.push(Finding::ok("parts", format!("the log has {of}, {size} in all, and the next lies ready")));
    }
    findings
}

#[cfg(test)]
mod tests {
    use busway_core::Level;

    use super::*;

    fn session(age: u64) -> Finding {
        let open = Open { pid: Some(7), gid: None, what: "idle in transaction, app".into() };
        judge_transaction(Some((open, Duration::from_secs(age))), true)
    }

    #[test]
    fn a_transaction_is_told_of_once_it_is_a_minute_old() {
        assert_eq!(session(60).level, Level::Ok);
        let old = session(61);
        assert_eq!((old.level, old.check), (Level::Warn, "oldest_transaction"));
        assert!(old.detail.contains("61 s, of session 7 (idle in transaction, app)"), "{}", old.detail);
        assert!(old.remedy.is_some_and(|remedy| remedy.contains("pg_terminate_backend(7)")));
        let prepared = Open { pid: None, gid: Some("it's".into()), what: "prepared, app".into() };
        let prepared = judge_transaction(Some((prepared, OLD * 2)), true);
        assert!(prepared.remedy.is_some_and(|remedy| remedy.ends_with("ROLLBACK PREPARED 'it''s'")));
    }

    #[test]
    fn what_a_role_cannot_see_is_told() {
        assert!(judge_transaction(None, false).detail.contains("pg_read_all_stats"));
        assert!(!judge_transaction(None, true).detail.contains("pg_read_all_stats"));
    }

    #[test]
    fn a_part_that_is_gone_is_worse_than_one_that_is_not_ready() {
        let part = |number, begun, there| Part { number, begun, there, attached: there, bytes: 10 };
        let levels = |parts: &[Part]| judge_parts(parts, "bus").iter().map(|finding| finding.level).collect::<Vec<_>>();
        assert_eq!(levels(&[part(1, true, true), part(2, false, true)]), [Level::Ok]);
        assert_eq!(levels(&[part(1, true, true)]), [Level::Warn]);
        assert_eq!(levels(&[part(1, true, false), part(2, true, true), part(3, false, true)]), [Level::Fail]);
        assert_eq!(levels(&[part(1, true, true), part(2, false, false)]), [Level::Warn]);
    }
}
