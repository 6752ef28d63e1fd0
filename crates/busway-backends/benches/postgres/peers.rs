//! What else there is on PostgreSQL, as `benches/peers/postgres` measures it.

use std::{
    collections::BTreeMap,
    ops::RangeBounds,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::{
    database::server,
    size::Size,
    table::{Figures, row},
};

pub(crate) const PGBENCH: &[&str] = &["pgbench"];
pub(crate) const ALL: &[&str] = &["pgbench", "pgmq", "watermill", "river", "graphile-worker"];

/// Figures by their names.
#[derive(Default)]
pub(crate) struct Peers(BTreeMap<String, Peer>);

struct Peer {
    version: String,
    figures: Figures,
}

impl Peers {
    /// One round of these.
    pub(crate) fn round(&mut self, which: &[&str], size: &Size) {
        if which.is_empty() {
            return;
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../benches/peers/postgres/run");
        let mut command = Command::new(script);
        command.args([&server().url("postgres"), "1", "--json"]).args(size.is_quick.then_some("--quick")).args(which);
        let measured = command.stderr(Stdio::inherit()).output().unwrap();
        assert!(measured.status.success());
        for line in String::from_utf8(measured.stdout).unwrap().lines() {
            let figure: Value = serde_json::from_str(line).unwrap();
            let word = |name: &str| figure[name].as_str().unwrap().to_owned();
            let unit = match figure["unit"].as_str().unwrap() {
                "events/s" => "/s",
                "bytes/event" => " bytes",
                "ms" => " ms",
                other => panic!("a figure in {other}"),
            };
            let new = || Peer { version: word("version"), figures: Figures::new(unit) };
            self.0.entry(word("name")).or_insert_with(new).figures.add(figure["value"].as_f64().unwrap());
        }
    }

    /// Prints ours beside this peer's, if it was measured.
    pub(crate) fn row(&self, what: &str, ours: &Figures, name: &str, goal: impl RangeBounds<f64>) {
        if let Some(Peer { version, figures }) = self.0.get(name) {
            let beside = if name.starts_with("pgbench") { name.to_owned() } else { format!("{name} ({version})") };
            row(what, ours, Some((&beside, figures)), goal);
        }
    }

    /// Prints ours beside that of the peer with the lower median; alone, where none was measured.
    pub(crate) fn row_beside_best(&self, what: &str, ours: &Figures, names: [&str; 2], goal: impl RangeBounds<f64>) {
        let measured = names.into_iter().filter_map(|name| Some((name, self.0.get(name)?.figures.median())));
        match measured.min_by(|a, b| a.1.total_cmp(&b.1)) {
            Some((best, _)) => self.row(what, ours, best, goal),
            None => row(what, ours, None, ..),
        }
    }
}
