//! The lane searched exhaustively in small worlds.

use busway_core::OnDead;

use super::{
    super::{Limits, Policy},
    case::{Ask, Case, Event, Faults, fickle, flaky, good, killer, poison},
    explore::explore,
};

/// States that a search may have.
const MOST: usize = 3_000_000;

fn holds(case: &Case) {
    let began = std::time::Instant::now();
    let found = explore(case, MOST);
    eprintln!("{} states in {:?}", found.states, began.elapsed());
    if let Some((violation, way)) = found.broken {
        panic!("{violation}, after {} states:\n{}", found.states, way.join("\n"));
    }
}

fn events(of: &[Event]) -> Case {
    Case::of(of.iter().copied())
}

fn with(faults: Faults, of: &[Event]) -> Case {
    Case { faults, ..events(of) }
}

const NONE: Faults =
    Faults { crashes: 0, lost_leases: 0, releases: 0, lost_answers: 0, cancels: 0, pauses: 0, prunes: 0, slow: 0 };

#[test]
fn failing_handlers_lose_nothing_and_keep_order() {
    holds(&Case { counted: true, ..events(&[fickle(1), fickle(1), fickle(2)]) });
}

#[test]
fn slow_handlers_lose_nothing_and_keep_order() {
    holds(&with(Faults { slow: 9, ..NONE }, &[flaky(1), flaky(2), flaky(1)]));
}

#[test]
fn crashes_lose_nothing() {
    holds(&with(Faults { crashes: 2, ..NONE }, &[flaky(1), flaky(1), good(2)]));
}

#[test]
fn crashes_with_slow_handlers_lose_nothing() {
    holds(&with(Faults { crashes: 2, slow: 1, ..NONE }, &[fickle(1), flaky(1), good(2), good(1)]));
}

#[test]
fn a_commit_that_arrives_late_does_no_harm() {
    let faults = Faults { crashes: 1, lost_answers: 1, ..NONE };
    holds(&Case { late_commits: true, members: 2, ..with(faults, &[flaky(1), good(1)]) });
}

#[test]
fn lanes_are_handed_over_between_members() {
    let faults = Faults { releases: 2, slow: 1, ..NONE };
    holds(&Case { members: 2, ..with(faults, &[flaky(1), good(1), good(2)]) });
}

#[test]
fn a_lost_lease_loses_nothing() {
    let faults = Faults { lost_leases: 1, slow: 1, ..NONE };
    holds(&Case { members: 2, ..with(faults, &[flaky(1), good(1)]) });
}

#[test]
fn a_killer_is_dead_after_its_attempts() {
    holds(&events(&[good(1), killer(2), flaky(3)]));
}

#[test]
fn a_killer_among_slow_ones() {
    holds(&with(Faults { slow: 3, ..NONE }, &[good(1), killer(1), flaky(2)]));
}

#[test]
fn two_killers() {
    holds(&events(&[killer(1), good(2), killer(1)]));
}

#[test]
fn a_killer_and_a_release() {
    holds(&with(Faults { releases: 2, ..NONE }, &[good(1), killer(2), good(2)]));
}

#[test]
fn a_killer_and_a_crash() {
    holds(&with(Faults { crashes: 1, ..NONE }, &[good(1), killer(2), good(2)]));
}

#[test]
fn dead_letters_are_retried() {
    let asks = vec![Ask::Retry(1), Ask::Retry(2)];
    holds(&Case { asks, ..with(Faults { crashes: 1, ..NONE }, &[poison(1), fickle(1), good(1)]) });
}

#[test]
fn dead_letters_are_discarded() {
    let asks = vec![Ask::Retry(1), Ask::Discard(1)];
    holds(&Case { asks, ..with(Faults { crashes: 1, ..NONE }, &[poison(1), good(1)]) });
}

#[test]
fn dead_letters_block() {
    let asks = vec![Ask::Retry(1), Ask::Discard(1)];
    let case = Case { asks, ..with(Faults { crashes: 1, ..NONE }, &[poison(1), fickle(1), good(2)]) };
    holds(&Case { policy: Policy { on_dead: OnDead::Block, ..case.policy }, ..case });
}

#[test]
fn seeks() {
    let asks = vec![Ask::Seek(0), Ask::Seek(2)];
    holds(&Case { asks, ..with(Faults { crashes: 1, ..NONE }, &[flaky(1), good(1), good(2)]) });
}

#[test]
fn redefined() {
    let of = [
        good(1).wanted([true, true]),
        good(1).wanted([true, false]),
        good(2).wanted([false, true]),
        good(1).wanted([true, true]),
    ];
    let case = with(Faults { crashes: 1, ..NONE }, &of);
    holds(&Case { asks: vec![Ask::Redefine], published: 1, ..case });
}

#[test]
fn paused() {
    holds(&with(Faults { pauses: 1, crashes: 1, slow: 1, ..NONE }, &[flaky(1), good(1), good(2)]));
}

#[test]
fn pruned() {
    holds(&with(Faults { prunes: 3, crashes: 1, slow: 1, ..NONE }, &[flaky(1), good(1), good(2)]));
}

#[test]
fn saturated() {
    let case = with(Faults { crashes: 1, slow: 1, ..NONE }, &[flaky(1), flaky(2), good(1), good(2)]);
    holds(&Case { limits: Limits { max_holds: 1, ..case.limits }, ..case });
}

#[test]
fn broken() {
    let case = with(Faults { crashes: 1, ..NONE }, &[flaky(1), flaky(2), flaky(1)]);
    holds(&Case { limits: Limits { breaker: 2, ..case.limits }, ..case });
}

#[test]
fn tenants() {
    let of = [good(1).of_tenant(1), good(1).of_tenant(1), good(2).of_tenant(2), flaky(1).of_tenant(1)];
    let case = with(Faults { crashes: 1, ..NONE }, &of);
    holds(&Case { limits: Limits { crowd_ms: 0, ..case.limits }, ..case });
}

#[test]
fn keyless() {
    holds(&with(Faults { crashes: 1, slow: 1, ..NONE }, &[flaky(0), good(0), good(0)]));
}
