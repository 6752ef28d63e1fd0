use busway_testbed::postgres;
use serde_json::Value;

use crate::{
    process::{Server, busway},
    rounds,
    table::{Figures, row},
};

const EVENTS: &str = "200000";

pub(crate) fn measure() {
    let mut pull = Figures::new("/s");
    let rounds = rounds();
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds} over HTTP");
        pull.add(pull_all(&Server::start()));
    }
    row("HTTP on SQLite, a loop that pulls 1,000 and settles them", &pull, None, 50_000.0..);
}

/// On the PostgreSQL server that is given, else on a private one.
pub(crate) fn measure_on_postgres() {
    let mut pull = Figures::new("/s");
    let postgres = postgres::Server::shared().expect("a PostgreSQL is installed");
    let rounds = rounds();
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds} over HTTP on PostgreSQL");
        let url = postgres.database().url;
        pull.add(pull_all(&Server::start_with(&[("DATABASE_URL", &url)])));
    }
    row("HTTP on Postgres, a loop that pulls 1,000 and settles them", &pull, None, 40_000.0..);
}

/// What `busway bench` measures: one loop that pulls a thousand and settles them, over one connection that is kept.
fn pull_all(server: &Server) -> f64 {
    let mut bench = busway();
    bench.args(["bench", "--events", EVENTS, "--batch", "1000", "--json", "--server", &server.url()]);
    let measured = bench.output().unwrap();
    assert!(measured.status.success(), "{}", String::from_utf8_lossy(&measured.stderr));
    let measured: Value = serde_json::from_slice(&measured.stdout).unwrap();
    measured["pull"]["perSecond"].as_f64().unwrap()
}
