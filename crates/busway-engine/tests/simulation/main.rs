//! The whole engine over the memory backend, on one thread, with a held clock and seeded randomness: a seed
//! decides publishers, processes that join, freeze, lose their leases and die, handlers that fail, hang, run
//! long or kill their process, operators, store errors and lost answers. Each run is judged by an independent
//! checker.
//!
//! `BUSWAY_SIM_SEEDS=1000000 cargo test --release -p busway-engine --test simulation` runs a million;
//! `BUSWAY_SIM_SEED=42 cargo test -p busway-engine --test simulation -- --nocapture` replays one and shows what
//! happened.

#![allow(clippy::unwrap_used, reason = "a world that cannot be built ends its test")]

mod flaky;
mod handler;
mod world;

use std::sync::atomic::{AtomicU64, Ordering};

use busway_engine::conformance::{History, Summary, Violation};

fn run(seed: u64) -> (Summary, Vec<Violation>, History) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut world = world::World::new(seed);
        let (summary, violations) = world.live().await;
        (summary, violations, world.history.clone())
    })
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name}={value} is no number")))
}

#[test]
fn every_seed_keeps_every_guarantee() {
    if let Some(seed) = setting("BUSWAY_SIM_SEED") {
        tracing_subscriber::fmt().without_time().with_ansi(false).init();
        let (summary, violations, history) = run(seed);
        println!("{history:?}\nseed {seed}: {summary:?}\n{violations:#?}");
        assert!(violations.is_empty(), "seed {seed} breaks a promise");
        return;
    }
    let (first, seeds) = (setting("BUSWAY_SIM_FIRST").unwrap_or(0), setting("BUSWAY_SIM_SEEDS").unwrap_or(600));
    let next = AtomicU64::new(first);
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let broken: Vec<(u64, Vec<Violation>)> = std::thread::scope(|scope| {
        let work = || {
            let mut broken = Vec::new();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= first + seeds || broken.len() >= 5 {
                    return broken;
                }
                let (_, violations, _) = run(seed);
                if !violations.is_empty() {
                    broken.push((seed, violations));
                }
            }
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    for (seed, violations) in &broken {
        println!(
            "seed {seed}: {violations:?}\nreplay: BUSWAY_SIM_SEED={seed} cargo test -p busway-engine --test simulation -- --nocapture"
        );
    }
    assert!(broken.is_empty(), "{} of the seeds break a promise", broken.len());
}

#[test]
fn the_same_seed_gives_the_same_history() {
    for seed in 0..10 {
        let (_, _, first) = run(seed);
        let (_, _, second) = run(seed);
        assert_eq!(format!("{first:?}"), format!("{second:?}"), "seed {seed}");
    }
}
