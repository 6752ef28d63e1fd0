//! What publishing and delivering cost on PostgreSQL: the rows of a table for `benches/README.md`.
//!
//! `cargo bench -p busway-backends --features postgres --bench postgres [-- part…]`; the parts are `publish`, `deliver`,
//! `latency`, `memory`, and `growth` and `held`, which take long and are left out unless named. Beside them go those of
//! `benches/peers/postgres`: pgbench, and with the part `peers` all the others. The server is the one that
//! `BUSWAY_TEST_POSTGRES_URL` names, else a private one. With `BUSWAY_BENCH_QUICK` there is one short round, to see that
//! everything works; with `BUSWAY_BENCH_HELD_SECONDS` a transaction is held for so long.

#![allow(clippy::unwrap_used, reason = "a bench that cannot be set up fails")]

#[path = "../throughput/bus.rs"]
mod bus;
mod database;
mod deliver;
#[path = "../throughput/events.rs"]
mod events;
mod growth;
mod held;
mod latency;
mod memory;
mod peers;
mod process;
mod publish;
mod raw;
mod size;
#[path = "../../../../benches/table.rs"]
mod table;

use size::Size;

const USUAL: [&str; 4] = ["publish", "deliver", "latency", "memory"];

#[tokio::main]
async fn main() {
    let mut named: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    match named.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [publish::ALONE, url, publishers, batch, millis] => {
            return publish::alone(url, number(publishers), number(batch), number(millis)).await;
        }
        [latency::ALONE, url] => return latency::alone(url).await,
        [memory::ALONE, url, millis] => return memory::alone(url, number(millis)).await,
        _ => {}
    }
    if named.is_empty() {
        named.extend(USUAL.map(str::to_owned));
    }
    let is_named = |part: &str| named.iter().any(|named| named == part);
    let size = Size::new();
    if USUAL.iter().any(|part| is_named(part)) {
        in_rounds(&size, is_named).await;
    }
    if is_named("growth") {
        growth::measure(&size).await;
    }
    if is_named("held") {
        held::measure(&size).await;
    }
}

async fn in_rounds(size: &Size, is_named: impl Fn(&str) -> bool) {
    let (publishing, delivering) = (is_named("publish"), is_named("deliver"));
    let (idling, remembering) = (is_named("latency"), is_named("memory"));
    let beside = match (is_named("peers"), publishing) {
        (true, _) => peers::ALL,
        (false, true) => peers::PGBENCH,
        (false, false) => &[],
    };
    let (mut publish, mut deliver) = (publish::Publish::new(), deliver::Deliver::new());
    let (mut latency, mut memory) = (latency::Latency::new(), memory::Memory::new());
    let mut peers = peers::Peers::default();
    for round in 1..=size.rounds {
        eprintln!("round {round} of {} on PostgreSQL", size.rounds);
        if publishing {
            publish.round(size).await;
        }
        if delivering {
            deliver.round(size).await;
        }
        if idling {
            latency.round(size).await;
        }
        if remembering {
            memory.round(size).await;
        }
        peers.round(beside, size);
    }
    if publishing {
        publish.print(&peers);
    }
    if delivering {
        deliver.print(&peers);
    }
    if idling {
        latency.print(&peers);
    }
    if remembering {
        memory.print();
    }
}

fn number<T: std::str::FromStr<Err: std::fmt::Debug>>(word: &str) -> T {
    word.parse().unwrap()
}
