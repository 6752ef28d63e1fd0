//! Stores that each break one promise while the engine runs on them, and which scenarios must notice.

mod commits;
mod letters;
mod logs;
mod records;

use busway_core::conformance::doubles::Double;

/// Every double.
pub fn all() -> impl Iterator<Item = &'static Double> {
    [logs::ALL, commits::ALL, letters::ALL, records::ALL].into_iter().flatten()
}
