use serde_json::Value;

use crate::{
    ROUNDS,
    process::{Server, busway},
    table::{Figures, row},
};

const EVENTS: &str = "200000";

/// What `busway bench` measures: one loop that pulls a thousand and settles them, over one connection that is kept.
pub(crate) fn measure() {
    let mut pull = Figures::new("/s");
    for round in 1..=ROUNDS {
        eprintln!("round {round} of {ROUNDS} over HTTP");
        let server = Server::start();
        let mut bench = busway();
        bench.args(["bench", "--events", EVENTS, "--batch", "1000", "--json", "--server", &server.url()]);
        let measured = bench.output().unwrap();
        assert!(measured.status.success(), "{}", String::from_utf8_lossy(&measured.stderr));
        let measured: Value = serde_json::from_slice(&measured.stdout).unwrap();
        pull.add(measured["pull"]["perSecond"].as_f64().unwrap());
    }
    row("HTTP on SQLite, a loop that pulls 1,000 and settles them", &pull, None, 50_000.0..);
}
