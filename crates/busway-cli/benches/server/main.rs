//! What the server does in a process of its own: the rows of a table for `benches/README.md`.
//!
//! `cargo bench -p busway-cli --bench server [-- part…]`; the parts are `pull` and `idle`, on SQLite, and `pull-postgres`.
//! Data goes to the system's folder for temporary files, or to `BUSWAY_BENCH_DIR`.

#![allow(clippy::unwrap_used, reason = "a bench that cannot be set up fails")]

mod idle;
mod process;
mod pull;
#[path = "../../../../benches/table.rs"]
mod table;

/// One with `BUSWAY_BENCH_QUICK`, to see that everything works.
fn rounds() -> usize {
    if std::env::var_os("BUSWAY_BENCH_QUICK").is_some() { 1 } else { 5 }
}

fn main() {
    let named: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let wanted = |part: &str| named.is_empty() || named.iter().any(|named| named == part);
    if wanted("pull") {
        pull::measure();
    }
    if wanted("pull-postgres") {
        pull::measure_on_postgres();
    }
    if wanted("idle") {
        idle::measure();
    }
}
