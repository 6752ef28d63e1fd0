//! A server that somebody else runs: what was made in it is dropped at the end.

use std::sync::{Mutex, PoisonError};

use super::binaries;
use crate::watcher::Watcher;

/// Each line is a database.
const DROP: &str = r#"
while read -r name; do names="$names $name"; done
for name in $names; do "$2" --force --if-exists --maintenance-db="$1" "$name"; done
"#;

#[derive(Debug)]
pub(super) struct Given(Mutex<Watcher>);

impl Given {
    pub(super) fn new(url: &str) -> Self {
        Self(Mutex::new(Watcher::start(DROP, &[url, &binaries::program("dropdb").to_string_lossy()])))
    }

    pub(super) fn drop_at_the_end(&self, database: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).tell(database);
    }
}
