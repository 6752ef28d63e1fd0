//! The lane searched exhaustively in small worlds. With `BUSWAY_MODEL=full` in larger ones, too.

mod faults;
mod killers;
mod limits;
mod requests;
mod tenants;
mod walks;

use super::{
    super::Limits,
    case::{Case, Event, Faults},
    explore::{explore, wander},
};

pub(super) const NONE: Faults =
    Faults { crashes: 0, lost_leases: 0, releases: 0, lost_answers: 0, cancels: 0, pauses: 0, prunes: 0, slow: 0 };

/// Every invariant holds in every state, and an end can be reached from each.
#[track_caller]
fn holds(case: &Case) {
    let found = explore(case, 4_000_000);
    if std::env::var_os("BUSWAY_MODEL").is_some() {
        eprintln!("{:>9} states: {:?} {:?}", found.states, case.faults, case.asks);
    }
    if let Some((violation, way)) = found.broken {
        panic!("{violation}, after {} states:\n{}\n{case:?}", found.states, way.join("\n"));
    }
}

/// Every invariant holds along random ways with many faults.
#[track_caller]
fn holds_at_random(case: &Case) {
    let walks = if is_full() { 2_000 } else { 20 };
    for seed in 0..4 {
        if let Some((violation, way)) = wander(case, seed, walks, 300) {
            panic!("{violation}, seed {seed}:\n{}\n{case:?}", way.join("\n"));
        }
    }
}

fn is_full() -> bool {
    std::env::var_os("BUSWAY_MODEL").is_some_and(|model| model == "full")
}

/// With other limits.
fn limited(case: Case, limit: impl FnOnce(&mut Limits)) -> Case {
    let mut limits = case.limits;
    limit(&mut limits);
    Case { limits, ..case }
}

pub(super) fn with(faults: Faults, events: &[Event]) -> Case {
    Case { faults, ..Case::of(events.iter().copied()) }
}
