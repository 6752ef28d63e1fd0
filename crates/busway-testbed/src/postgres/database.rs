//! A database of its own for each test.

use std::{
    process,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use tokio_postgres::Client;

use super::client;

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
}

/// A name that no other test has, of this process or another.
pub(super) fn new_name() -> String {
    static STARTED: LazyLock<u128> =
        LazyLock::new(|| SystemTime::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_micros()));
    static MADE: AtomicU64 = AtomicU64::new(0);
    format!("busway_test_{}_{:x}_{}", process::id(), *STARTED, MADE.fetch_add(1, Ordering::Relaxed))
}
