//! The scenarios notice every broken promise of a store that the engine runs on.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod in_memory;

use std::{collections::BTreeSet, sync::Mutex};

use busway_core::conformance::doubles::Double;
use busway_engine::conformance::{Scenario, doubles};
use in_memory::InMemory;

#[test]
fn every_double_is_noticed_by_the_scenarios_that_it_names() {
    let pairs: Vec<(&Double, &str)> =
        doubles::all().flat_map(|double| double.noticed_by.iter().map(move |name| (double, *name))).collect();
    let (next, unnoticed) = (Mutex::new(pairs.iter()), Mutex::new(Vec::new()));
    let play = || {
        loop {
            let pair = next.lock().unwrap().next();
            let Some((double, name)) = pair else { return };
            let Some(scenario) = Scenario::named(name) else {
                panic!("`{}` names `{name}`, which is no scenario", double.fault)
            };
            let outcome = std::panic::catch_unwind(|| scenario.run(|| async { double.on(InMemory::with_lanes(1)) }));
            if matches!(outcome, Ok(Ok(()))) {
                unnoticed.lock().unwrap().push(format!("{name}, that a store {}", double.fault));
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(play))));
    let unnoticed = unnoticed.into_inner().unwrap();
    assert!(unnoticed.is_empty(), "scenarios do not notice: {unnoticed:#?}");
}

#[test]
fn every_double_names_a_scenario_and_no_fault_is_told_twice() {
    let faults: BTreeSet<&str> = doubles::all().map(|double| double.fault).collect();
    assert_eq!(faults.len(), doubles::all().count());
    assert!(doubles::all().all(|double| !double.noticed_by.is_empty()));
}

#[test]
fn scenarios_pass_on_a_double_that_does_nothing_wrong() {
    for name in ["a_duplicate_is_delivered_once", "keys_keep_their_order_with_four_members", "a_lease_is_extended"] {
        let scenario = Scenario::named(name).unwrap();
        let outcome = scenario.run(|| async { Double::SOUND.on(InMemory::with_lanes(8)) });
        assert_eq!(outcome, Ok(()), "{name}");
    }
}
