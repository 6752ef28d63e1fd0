//! What publishing and delivering cost on SQLite and in memory: the rows of a table for `benches/README.md`.
//!
//! `cargo bench -p busway-backends --bench throughput [-- part…]`; the parts are `sqlite`, `memory` and `growth`. Files go
//! to the system's folder for temporary ones, or to `BUSWAY_BENCH_DIR`.

#![allow(clippy::unwrap_used, reason = "a bench that cannot be set up fails")]

mod bus;
mod deliver;
mod events;
mod growth;
mod memory;
mod publish;
mod raw;
mod store;
#[path = "../../../../benches/table.rs"]
mod table;

use tempfile::TempDir;

const LANES: u16 = 8;
const ROUNDS: usize = 5;

#[tokio::main]
async fn main() {
    let named: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_named = |part: &str| named.iter().any(|named| named == part);
    if is_named(memory::ALONE) {
        return memory::alone().await;
    }
    let wanted = |part: &str| named.is_empty() || is_named(part);
    let (sqlite, memory) = (wanted("sqlite"), wanted("memory"));
    let (mut publish, mut deliver) = (publish::Publish::new(), deliver::Deliver::new());
    let mut in_memory = memory::InMemory::new();
    for round in 1..=ROUNDS {
        if sqlite {
            eprintln!("round {round} of {ROUNDS} on SQLite");
            let folder = folder();
            let file = folder.path().join("busway.db");
            publish.round(&file).await;
            deliver.round(&file).await;
        }
        if memory {
            eprintln!("round {round} of {ROUNDS} in memory");
            in_memory.round();
        }
    }
    if sqlite {
        publish.print();
        deliver.print(&publish.together);
    }
    if memory {
        in_memory.print();
    }
    if wanted("growth") {
        growth::measure(folder().path(), ROUNDS).await;
    }
}

fn folder() -> TempDir {
    let folder = match std::env::var_os("BUSWAY_BENCH_DIR") {
        Some(folder) => tempfile::tempdir_in(folder),
        None => tempfile::tempdir(),
    };
    folder.unwrap()
}
