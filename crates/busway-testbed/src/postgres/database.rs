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
}

/// A name that no other test has, of this process or another.
pub(super) fn new_name() -> String {
    static STARTED: LazyLock<u128> =
        LazyLock::new(|| SystemTime::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_micros()));
    static MADE: AtomicU64 = AtomicU64::new(0);
    format!("busway_test_{}_{:x}_{}", process::id(), *STARTED, MADE.fetch_add(1, Ordering::Relaxed))
}

/// The same URL for another database.
pub(super) fn with_name(url: &str, name: &str) -> String {
    let (address, query) = match url.split_once('?') {
        Some((address, query)) => (address, format!("?{query}")),
        None => (url, String::new()),
    };
    let authority = address.find("://").map_or(0, |scheme| scheme + 3);
    let end = address[authority..].find('/').map_or(address.len(), |slash| authority + slash);
    format!("{}/{name}{query}", &address[..end])
}

#[cfg(test)]
mod tests {
    use super::with_name;

    #[test]
    fn the_database_of_a_url_is_replaced_and_nothing_else() {
        for (url, expected) in [
            ("postgres://u:p@h:1/old?sslmode=disable", "postgres://u:p@h:1/new?sslmode=disable"),
            ("postgresql://h", "postgresql://h/new"),
            ("postgres://h/?host=/run/a", "postgres://h/new?host=/run/a"),
        ] {
            assert_eq!(with_name(url, "new"), expected);
        }
    }
}
