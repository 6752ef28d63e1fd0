//! What memory a process needs at most.

use std::{fs, time::Duration};

use busway_core::Start;

use crate::{
    database::open,
    deliver::{TWELVE, with_backlog},
    process::{self, Process},
    publish::Load,
    size::Size,
    table::{Figures, row},
};

pub(crate) const ALONE: &str = "memory-alone";

const PUBLISHERS: usize = 256;

pub(crate) struct Memory(Figures);

impl Memory {
    pub(crate) fn new() -> Self {
        Self(Figures::new(" MiB"))
    }

    pub(crate) async fn round(&mut self, size: &Size) {
        let fresh = with_backlog(size.backlog).await;
        let mut alone = Process::start(&[&ALONE, &fresh.url(), &size.window.as_millis()]);
        alone.go();
        self.0.add(alone.numbers()[0]);
        alone.finish();
        fresh.remove().await;
    }

    pub(crate) fn print(&self) {
        let what = "Postgres, most resident memory: a backlog to twelve subscriptions while 256 publishers publish";
        row(what, &self.0, None, ..200.0);
    }
}

/// A process of its own: prints the most resident memory that it had.
pub(crate) async fn alone(url: &str, millis: u64) {
    let bus = open(url).await;
    process::ready();
    process::told().await;
    for name in TWELVE {
        bus.subscribe(name, Start::Earliest).await;
    }
    let load = Load::start(&bus.engine, PUBLISHERS, 1);
    tokio::time::sleep(Duration::from_millis(millis)).await;
    load.stop().await;
    bus.engine.idle().await.unwrap();
    println!("{}", most_resident());
    bus.close().await;
}

/// In MiB, by Linux's count.
fn most_resident() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}
