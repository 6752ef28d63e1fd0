use std::time::Duration;

use busway_core::{Durability, Error, ErrorKind, Result};
use tokio_postgres::{Row, types::Type};

use super::{
    config::{Config, DEFAULT_LANES, invalid},
    connection::{Connection, connect},
    error::{Effect, corrupt, failed, too_late},
    names::{Names, SCHEMA_LOCK},
    pool::Values,
    server::Server,
};
use crate::PendingMigration;

/// How long bringing the schema up to date may take, waiting for another process that does so included.
const LONGEST: Duration = Duration::from_secs(600);

struct Migration {
    name: &'static str,
    sql: &'static str,
    /// The oldest version whose code may use a schema that has this migration.
    usable_from: i32,
}

/// Every step from nothing to this version; a step once released is never changed.
const MIGRATIONS: &[Migration] = &[
    Migration { name: "001_log", sql: include_str!("migrations/001_log.sql"), usable_from: 1 },
    Migration { name: "002_checkpoints", sql: include_str!("migrations/002_checkpoints.sql"), usable_from: 2 },
    Migration { name: "003_outbox", sql: include_str!("migrations/003_outbox.sql"), usable_from: 2 },
    Migration { name: "004_commits", sql: include_str!("migrations/004_commits.sql"), usable_from: 2 },
    Migration { name: "005_sift", sql: include_str!("migrations/005_sift.sql"), usable_from: 2 },
    Migration { name: "006_commits", sql: include_str!("migrations/006_commits.sql"), usable_from: 2 },
];
const VERSION: i32 = MIGRATIONS.len() as i32;

/// What was found out of a log and its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prepared {
    pub(super) lanes: u16,
    /// How far what is acknowledged survives, as the server is set.
    pub(super) durability: Durability,
}

/// The steps that the schema still lacks, for somebody who wants to see them first; none are carried out.
///
/// Errors: as those of opening the store.
pub(super) async fn pending(config: &Config) -> Result<Vec<PendingMigration>> {
    within(config, async {
        let schema = Schema::connect(config).await?;
        schema.check_server().await?;
        let version = schema.usable_version().await?;
        schema.steps(version, config.lanes.unwrap_or(DEFAULT_LANES)).await
    })
    .await
}

/// Makes the schema or brings it to this version, one process at a time. A log that finds itself in another
/// database, another cluster or on another timeline than before gets a new epoch.
pub(super) async fn prepare(config: &Config) -> Result<Prepared> {
    let prepared = within(config, async {
        let schema = Schema::connect(config).await?;
        schema.check_server().await?;
        schema.bring_up(config).await
    });
    let prepared = prepared.await?;
    match config.lanes {
        Some(wanted) if wanted != prepared.lanes => {
            let lanes = prepared.lanes;
            let detail = format!(
                "{wanted} lanes are asked for, but the log was made with {lanes}, which stays; say `lanes={lanes}` or nothing"
            );
            Err(invalid(detail).with_context("schema", &config.schema).with_context("at", config.place()))
        }
        _ => Ok(prepared),
    }
}

async fn within<T>(config: &Config, work: impl Future<Output = Result<T>>) -> Result<T> {
    let late = |_| too_late(Effect::None, &config.place(), LONGEST);
    tokio::time::timeout(LONGEST, work).await.map_err(late)?
}

/// A connection that looks at a schema and changes it.
struct Schema {
    connection: Connection,
    names: Names,
    place: String,
}

impl Schema {
    async fn connect(config: &Config) -> Result<Self> {
        let connection = connect(config).await?;
        Ok(Self { connection, names: Names::new(&config.schema), place: config.place() })
    }

    /// Runs a statement that gives one row.
    async fn row(&self, sql: &str, values: Values<'_>) -> Result<Row> {
        let ended = self.connection.client.query_typed_one(&self.names.fill(sql), values).await;
        ended.map_err(|error| failed(error, Effect::None, &self.place))
    }

    /// Runs statements that give nothing.
    async fn run(&self, sql: &str) -> Result<()> {
        let ended = self.connection.client.batch_execute(&self.names.fill(sql)).await;
        ended.map_err(|error| failed(error, Effect::None, &self.place))
    }

    async fn check_server(&self) -> Result<()> {
        let sql = "SELECT current_setting('server_version_num')::int, current_setting('server_version'),
                          current_setting('server_encoding'), current_setting('default_transaction_isolation'),
                          pg_is_in_recovery()";
        let row = self.row(sql, &[]).await?;
        let server = Server {
            number: row.get(0),
            version: row.get(1),
            encoding: row.get(2),
            isolation: row.get(3),
            is_standby: row.get(4),
        };
        server.check(&self.place)
    }

    async fn bring_up(&self, config: &Config) -> Result<Prepared> {
        let current = self.usable_version().await? >= VERSION;
        if current && let Some(prepared) = self.told().await? {
            return Ok(prepared);
        }
        self.migrate(config.lanes.unwrap_or(DEFAULT_LANES)).await?;
        let silent =
            || corrupt(format!("the schema `{}` at {} does not say what its log is", config.schema, self.place));
        self.told().await?.ok_or_else(silent)
    }

    /// The version of the schema, 0 if it has none of Busway's tables; an error if a newer Busway made it
    /// unusable.
    async fn usable_version(&self) -> Result<i32> {
        // Not by to_regclass: once it has found nothing, it may go on finding nothing until the transaction ends.
        let made = "SELECT EXISTS (SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
                                   WHERE n.nspname = $1 AND c.relname = 'meta')";
        if !self.row(made, &[(&self.names.schema(), Type::TEXT)]).await?.get::<_, bool>(0) {
            return Ok(0);
        }
        let sql = "SELECT (SELECT value::int FROM {schema}.meta WHERE key = 'version'),
                          (SELECT value::int FROM {schema}.meta WHERE key = 'usable_from')";
        let row = self.row(sql, &[]).await?;
        let (version, usable_from): (Option<i32>, Option<i32>) = (row.get(0), row.get(1));
        match usable_from {
            Some(from) if from > VERSION => {
                let detail = format!(
                    "the schema `{}` needs a Busway that knows version {from} of it; this one knows {VERSION}",
                    self.names.schema()
                );
                Err(Error::new(ErrorKind::StoreTooNew, detail).with_context("at", &self.place))
            }
            _ => Ok(version.unwrap_or_default()),
        }
    }

    /// What the schema says of its log, if the log is where it was when that was written.
    async fn told(&self) -> Result<Option<Prepared>> {
        let sql = "SELECT (SELECT value::int FROM {schema}.meta WHERE key = 'lanes'), {schema}.is_moved(),
                          current_setting('synchronous_commit') <> 'off' AND current_setting('fsync')::boolean,
                          current_setting('synchronous_standby_names') <> ''
                              AND current_setting('synchronous_commit') <> 'local'";
        let row = self.row(sql, &[]).await?;
        let (lanes, is_moved): (Option<i32>, bool) = (row.get(0), row.get(1));
        let lanes = lanes.and_then(|lanes| u16::try_from(lanes).ok()).filter(|lanes| *lanes > 0);
        let durability = match (row.get(2), row.get(3)) {
            (false, _) => Durability::Process,
            (true, false) => Durability::Disk,
            (true, true) => Durability::Replicated,
        };
        Ok(lanes.filter(|_| !is_moved).map(|lanes| Prepared { lanes, durability }))
    }

    /// What leads from a version to this one, the making of the schema and of its log included.
    async fn steps(&self, version: i32, lanes: u16) -> Result<Vec<PendingMigration>> {
        let there = "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)";
        let there = self.row(there, &[(&self.names.schema(), Type::TEXT)]).await?;
        let mut before = if there.get(0) { "" } else { "CREATE SCHEMA {schema};\n" };
        let mut steps = Vec::new();
        for (step, reached) in MIGRATIONS.iter().zip(1_i32..).skip(usize::try_from(version).unwrap_or_default()) {
            let Migration { name, sql, usable_from } = step;
            let told = format!(
                "SELECT {{schema}}.set_meta('version', '{reached}'), {{schema}}.set_meta('usable_from', '{usable_from}');"
            );
            let made = if reached == VERSION { format!("SELECT {{schema}}.settle({lanes});\n") } else { String::new() };
            let sql = self.names.fill(&format!("{before}{sql}{told}\n{made}"));
            steps.push(PendingMigration { version: reached.unsigned_abs(), name, sql });
            before = "";
        }
        Ok(steps)
    }

    /// Carries out what is left to do, whole. Whoever fails here drops the connection, and with it the transaction.
    async fn migrate(&self, lanes: u16) -> Result<()> {
        self.run("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE").await?;
        self.row("SELECT pg_advisory_xact_lock({lock}, $1)", &[(&SCHEMA_LOCK, Type::INT4)]).await?;
        let version = self.usable_version().await?;
        for step in self.steps(version, lanes).await? {
            self.run(&step.sql).await?;
        }
        self.row("SELECT {schema}.settle($1)", &[(&i32::from(lanes), Type::INT4)]).await?;
        self.run("COMMIT").await
    }
}
