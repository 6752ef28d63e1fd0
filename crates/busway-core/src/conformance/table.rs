use std::time::Duration;

use super::{Failed, Outcome};
use crate::{Capabilities, Dedupe, Durability};

/// The least that a backend known by name must declare.
struct Least {
    name: &'static str,
    durability: Durability,
    dedupe: Dedupe,
    atomic_batch: bool,
    read: bool,
    prune: bool,
    shared: bool,
}

const TABLE: &[Least] = &[
    Least {
        name: "in-memory",
        durability: Durability::Process,
        dedupe: Dedupe::Retention,
        atomic_batch: true,
        read: true,
        prune: true,
        shared: false,
    },
    Least {
        name: "sqlite",
        durability: Durability::Disk,
        dedupe: Dedupe::Retention,
        atomic_batch: true,
        read: true,
        prune: true,
        shared: true,
    },
    Least {
        name: "postgres",
        durability: Durability::Disk,
        dedupe: Dedupe::Retention,
        atomic_batch: true,
        read: true,
        prune: true,
        shared: true,
    },
    Least {
        name: "redis",
        durability: Durability::Process,
        dedupe: Dedupe::Retention,
        atomic_batch: false,
        read: true,
        prune: true,
        shared: true,
    },
    Least {
        name: "nats",
        durability: Durability::Disk,
        dedupe: Dedupe::Window(Duration::ZERO),
        atomic_batch: false,
        read: true,
        prune: true,
        shared: true,
    },
    Least {
        name: "pubsub",
        durability: Durability::Replicated,
        dedupe: Dedupe::None,
        atomic_batch: false,
        read: false,
        prune: false,
        shared: true,
    },
];

/// Fails if a backend that the table knows declares less than it must.
pub(super) fn declares_enough(declared: &Capabilities) -> Outcome {
    let Some(least) = TABLE.iter().find(|least| least.name == declared.name) else { return Ok(()) };
    let faults = [
        ("durability", declared.durability >= least.durability),
        ("dedupe window", window(declared.dedupe) >= window(least.dedupe)),
        ("atomic batch", declared.atomic_batch >= least.atomic_batch),
        ("read by position", declared.read >= least.read),
        ("prune", declared.prune >= least.prune),
        ("several processes on one store", declared.shared >= least.shared),
    ];
    match faults.iter().find(|(_, enough)| !enough) {
        Some((what, _)) => Err(Failed::new(format!("{} declares too little: {what}", declared.name))),
        None => Ok(()),
    }
}

/// Dedupe windows in the order of their worth.
fn window(dedupe: Dedupe) -> (u8, Duration) {
    match dedupe {
        Dedupe::None => (0, Duration::ZERO),
        Dedupe::Window(window) => (1, window),
        Dedupe::Retention => (2, Duration::ZERO),
    }
}
