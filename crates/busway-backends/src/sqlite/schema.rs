use std::path::Path;

use busway_core::{Error, ErrorKind, Result, Seam};
use rusqlite::{Connection, OptionalExtension, Result as NativeResult, TransactionBehavior, params};

use super::{
    config::{Config, DEFAULT_LANES, invalid},
    connection,
    error::{Fault, corrupt},
};
use crate::PendingMigration;

struct Migration {
    name: &'static str,
    sql: &'static str,
    /// The oldest version whose code may use a file that has this migration.
    usable_from: i64,
}

/// Every step from an empty file to this version; a step once released is never changed.
const MIGRATIONS: &[Migration] = &[Migration {
    name: "001_log_and_checkpoints",
    sql: include_str!("migrations/001_log_and_checkpoints.sql"),
    usable_from: 1,
}];
const VERSION: i64 = MIGRATIONS.len() as i64;

/// Brings the file to this version, under SQLite's write lock where anything is to be done, and returns how many
/// lanes its log has. A file that took the place of another one gets a new epoch.
pub(super) fn prepare(
    connection: &mut Connection,
    path: &Path,
    config: &Config,
    seam: &Seam,
    identity: Option<u64>,
) -> Result<u16> {
    let identity = identity.unwrap_or_default().cast_signed();
    let lanes = bring_up(connection, config, seam, identity).map_err(|fault| {
        let error = fault.translated(path);
        match error.kind() {
            ErrorKind::StoreTooNew | ErrorKind::InvalidConfiguration => error.with_context("file", path.display()),
            _ => error,
        }
    })?;
    match config.lanes {
        Some(wanted) if wanted != lanes => {
            let detail = format!(
                "{wanted} lanes are asked for, but the log was made with {lanes}, which stays; say `lanes={lanes}` or nothing"
            );
            Err(invalid(detail).with_context("file", path.display()))
        }
        _ => Ok(lanes),
    }
}

fn bring_up(connection: &mut Connection, config: &Config, seam: &Seam, identity: i64) -> Result<u16, Fault> {
    let version = usable_version(connection)?;
    if version < VERSION || value(connection, "file")? != Some(identity) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        migrate(&transaction, usable_version(&transaction)?)?;
        if value(&transaction, "lanes")?.is_none() {
            make_log(&transaction, config.lanes.unwrap_or(DEFAULT_LANES))?;
        }
        if value(&transaction, "file")? != Some(identity) {
            set(&transaction, "file", identity)?;
            set(&transaction, "epoch", seam.random().cast_signed())?;
        }
        transaction.commit()?;
    }
    let lanes = value(connection, "lanes")?;
    let lanes = lanes.and_then(|lanes| u16::try_from(lanes).ok()).filter(|lanes| *lanes > 0);
    Ok(lanes.ok_or_else(|| corrupt("the SQLite file does not say how many lanes its log has"))?)
}

/// The version of the file, 0 if it has none of Busway's tables; an error if a newer Busway made it unusable.
fn usable_version(connection: &Connection) -> Result<i64, Fault> {
    let made =
        connection.query_row("SELECT 1 FROM sqlite_schema WHERE name = 'busway_meta'", [], |_| Ok(())).optional()?;
    if made.is_none() {
        return Ok(0);
    }
    let usable_from = value(connection, "usable_from")?.unwrap_or_default();
    if usable_from > VERSION {
        let detail = format!(
            "the file needs a Busway that knows version {usable_from} of the SQLite schema; this one knows {VERSION}"
        );
        return Err(Error::new(ErrorKind::StoreTooNew, detail).into());
    }
    Ok(value(connection, "version")?.unwrap_or_default())
}

/// The steps that the file still lacks; none are carried out.
pub(super) fn pending(config: &Config) -> Result<Vec<PendingMigration>> {
    let version = if config.path.exists() {
        let connection = connection::reader(&config.path, config)?;
        usable_version(&connection).map_err(|fault| fault.translated(&config.path))?
    } else {
        0
    };
    Ok(steps(version).collect())
}

/// What leads from a version to this one.
fn steps(version: i64) -> impl Iterator<Item = PendingMigration> {
    let done = usize::try_from(version).unwrap_or_default();
    MIGRATIONS.iter().zip(1_u32..).skip(done).map(|(step, version)| {
        let Migration { name, sql, usable_from } = step;
        let told = format!(
            "INSERT INTO busway_meta VALUES ('version', {version}), ('usable_from', {usable_from})
    ON CONFLICT DO UPDATE SET value = excluded.value;\n"
        );
        PendingMigration { version, name, sql: format!("{sql}{told}") }
    })
}

fn migrate(connection: &Connection, version: i64) -> NativeResult<()> {
    steps(version).try_for_each(|step| connection.execute_batch(&step.sql))
}

fn make_log(connection: &Connection, lanes: u16) -> NativeResult<()> {
    set(connection, "lanes", lanes.into())?;
    set(connection, "changes", 0)?;
    let mut insert = connection.prepare("INSERT INTO busway_lanes VALUES (?1, 0, ?2)")?;
    for lane in 0..lanes {
        insert.execute(params![lane, busway_core::Timestamp::MIN.as_millis()])?;
    }
    Ok(())
}

fn value(connection: &Connection, key: &str) -> NativeResult<Option<i64>> {
    connection.query_row("SELECT value FROM busway_meta WHERE key = ?1", [key], |row| row.get(0)).optional()
}

fn set(connection: &Connection, key: &str, value: i64) -> NativeResult<()> {
    let sql = "INSERT INTO busway_meta VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value";
    connection.execute(sql, params![key, value]).map(drop)
}
