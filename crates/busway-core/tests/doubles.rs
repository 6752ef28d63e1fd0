//! The conformance suite notices every broken promise, and each of its checks can fail.

mod in_memory;

use std::{collections::BTreeSet, sync::Arc};

use busway_core::conformance::{Check, Outcome, doubles::Double};
use in_memory::InMemory;

async fn outcome(check: &'static Check, double: &'static Double, lanes: u16) -> Outcome {
    let broken = Arc::new(double.on(InMemory::with_lanes(lanes)));
    match tokio::spawn(check.run(broken)).await {
        Ok(outcome) => outcome,
        Err(panic) => panic!("{} panicked where the backend {}: {panic}", check.name, double.fault),
    }
}

#[tokio::test(start_paused = true)]
async fn every_double_is_noticed_by_the_checks_that_it_names() {
    let mut unnoticed = Vec::new();
    for double in Double::all() {
        for name in double.noticed_by {
            let Some(check) = Check::named(name) else {
                panic!("`{}` names `{name}`, which is no check", double.fault)
            };
            for lanes in [1, 8] {
                if outcome(check, double, lanes).await.is_ok() {
                    unnoticed.push(format!("{name}, on {lanes} lanes, that a backend {}", double.fault));
                }
            }
        }
    }
    assert!(unnoticed.is_empty(), "checks do not notice: {unnoticed:#?}");
}

#[tokio::test(start_paused = true)]
async fn every_check_passes_on_a_double_that_does_nothing_wrong() {
    for check in Check::ALL {
        let outcome = outcome(check, &Double::SOUND, 8).await;
        assert_eq!(outcome, Ok(()), "{}", check.name);
    }
}

#[test]
fn every_check_is_failed_by_some_double() {
    let failed: BTreeSet<&str> = Double::all().flat_map(|double| double.noticed_by).copied().collect();
    let unproved: Vec<&str> = Check::ALL.iter().map(|check| check.name).filter(|name| !failed.contains(name)).collect();
    assert!(unproved.is_empty(), "nothing proves that these checks can fail: {unproved:?}");
}

#[test]
fn every_double_names_a_check_and_no_fault_is_told_twice() {
    let faults: BTreeSet<&str> = Double::all().map(|double| double.fault).collect();
    assert_eq!(faults.len(), Double::all().count());
    assert!(Double::all().all(|double| !double.noticed_by.is_empty()));
}
