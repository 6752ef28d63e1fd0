//! A database of its own for each test.

use std::{
    io::Write,
    process::{self, Command, Stdio},
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use tokio_postgres::Client;

use super::{binaries, client};

/// An empty database. It stays until the end of the process that made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    /// `postgres://…/name`.
    pub url: String,
    /// Its name in the server.
    pub name: String,
}

impl Database {
    /// A new connection, kept going on the calling runtime.
    ///
    /// # Panics
    /// If the server refuses it, or does not run.
    pub async fn client(&self) -> Client {
        client::connect(&self.url).await.unwrap_or_else(|error| panic!("cannot connect to {}: {error}", self.url))
    }

    /// Sets what sessions that begin from now on are set to, also those of a pooler.
    ///
    /// # Panics
    /// When the server refuses.
    pub fn set(&self, setting: &str, value: &str) {
        let sql = format!("alter database {} set {setting} = '{}'", self.name, value.replace('\'', "''"));
        client::run(&self.url, &sql).unwrap_or_else(|error| panic!("cannot set {setting} of {}: {error}", self.url));
    }

    /// What `pg_dump` writes of it, as SQL.
    ///
    /// # Panics
    /// If that fails.
    #[must_use]
    pub fn dump(&self) -> Vec<u8> {
        let output = Command::new(binaries::program("pg_dump")).arg(&self.url).output();
        let output = output.unwrap_or_else(|error| panic!("pg_dump cannot be run: {error}"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// Runs what [`Self::dump`] wrote of another.
    ///
    /// # Panics
    /// At the first statement that fails.
    pub fn restore(&self, dump: &[u8]) {
        let mut command = Command::new(binaries::program("psql"));
        command.args(["--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--dbname"]).arg(&self.url);
        let psql = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
        let mut psql = psql.unwrap_or_else(|error| panic!("psql cannot be run: {error}"));
        let written = psql.stdin.take().map(|mut input| input.write_all(dump));
        assert!(matches!(written, Some(Ok(()))), "psql took no more: {written:?}");
        assert!(psql.wait().is_ok_and(|status| status.success()), "psql ended with an error");
    }
}

/// A name that no other test has, of this process or another.
pub(super) fn new_name() -> String {
    static STARTED: LazyLock<u128> =
        LazyLock::new(|| SystemTime::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_micros()));
    static MADE: AtomicU64 = AtomicU64::new(0);
    format!("busway_test_{}_{:x}_{}", process::id(), *STARTED, MADE.fetch_add(1, Ordering::Relaxed))
}
