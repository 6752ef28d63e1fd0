use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use busway_core::{Error, ErrorKind, Result};
use rusqlite::{Connection, OpenFlags, Result as NativeResult};

use super::{
    config::Config,
    error::{is_busy, translated},
};

/// Pages in the write-ahead log before a commit moves them into the file: 16 MiB. Rare enough to be cheap, often
/// enough that readers search a short log.
const CHECKPOINT_PAGES: i64 = 4_000;
/// What the write-ahead log is cut down to when it starts anew after a burst.
const KEPT_WAL_BYTES: i64 = 64 << 20;
/// Statements kept prepared per connection; more than there are.
const STATEMENTS: usize = 96;
const WRITER_CACHE_KIB: i64 = 16 << 10;
const READER_CACHE_KIB: i64 = 4 << 10;
/// Between attempts to change the journal mode, for which SQLite does not always wait by itself.
const WAL_RETRY: Duration = Duration::from_millis(2);

/// The one connection that writes.
pub(super) fn writer(path: &Path, config: &Config) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| translated(error, path))?;
    let set = || {
        connection.busy_timeout(config.busy_timeout)?;
        if connection.is_readonly("main")? {
            return Ok(false);
        }
        enter_wal(&connection, config.busy_timeout)?;
        connection.pragma_update(None, "synchronous", config.synchronous.as_str())?;
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        connection.pragma_update(None, "journal_size_limit", KEPT_WAL_BYTES)?;
        connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        if let Some(bytes) = config.max_size {
            limit_size(&connection, bytes)?;
        }
        Ok(true)
    };
    match set() {
        Ok(true) => Ok(connection),
        Ok(false) => Err(Error::new(
            ErrorKind::StorageFull,
            format!(
                "the SQLite file `{}` is read-only for this process; make it and its folder writable",
                path.display()
            ),
        )),
        Err(error) => Err(translated(error, path)),
    }
}

/// One of the connections that read.
pub(super) fn reader(path: &Path, config: &Config) -> Result<Connection> {
    let open = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(config.busy_timeout)?;
        connection.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        Ok(connection)
    };
    open().map_err(|error| translated(error, path))
}

fn enter_wal(connection: &Connection, patience: Duration) -> NativeResult<()> {
    let start = Instant::now();
    loop {
        match connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get::<_, String>(0)) {
            Err(error) if is_busy(&error) && start.elapsed() < patience => thread::sleep(WAL_RETRY),
            outcome => return outcome.map(drop),
        }
    }
}

fn limit_size(connection: &Connection, bytes: u64) -> NativeResult<()> {
    let page: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let pages = i64::try_from(bytes).unwrap_or(i64::MAX) / page;
    connection.pragma_update_and_check(None, "max_page_count", pages.max(1), |_| Ok(()))
}
