use super::{
    super::case::{Case, Faults, fickle, flaky, good, poison},
    NONE, holds, is_full, with,
};

#[test]
fn failing_handlers_lose_nothing_and_keep_order() {
    for attempts in 1..=3 {
        let case = with(NONE, &[fickle(1), fickle(1), fickle(2), good(1)]);
        holds(&Case { counted: true, ..case }.attempts(attempts));
    }
}

#[test]
fn failing_handlers_of_keyless_events_lose_nothing() {
    holds(&with(Faults { crashes: 1, slow: 1, ..NONE }, &[flaky(0), good(0), good(1)]));
}

#[test]
fn slow_handlers_lose_nothing_and_keep_order() {
    holds(&with(Faults { slow: 9, ..NONE }, &[flaky(1), flaky(2), flaky(1)]));
    holds(&with(Faults { slow: 9, ..NONE }, &[good(1), poison(1), good(2), good(1)]).window(3));
}

#[test]
fn crashes_lose_nothing() {
    holds(&Case { counted: true, ..with(Faults { crashes: 2, ..NONE }, &[flaky(1), good(1), good(2)]) });
    holds(&with(Faults { crashes: 1, slow: 1, ..NONE }, &[fickle(1), good(2), good(1)]));
    if is_full() {
        holds(&with(Faults { crashes: 2, slow: 1, ..NONE }, &[fickle(1), flaky(1), good(2), good(1)]));
        holds(&with(Faults { crashes: 2, slow: 2, ..NONE }, &[fickle(1), flaky(1), good(2)]).window(3));
    }
}

#[test]
fn events_that_come_while_the_lane_works_are_not_lost() {
    let faults = Faults { crashes: 1, slow: 1, ..NONE };
    holds(&Case { published: 0, slow_reads: true, ..with(faults, &[flaky(1), good(1)]) });
    if is_full() {
        holds(&Case { published: 0, slow_reads: true, ..with(faults, &[flaky(1), good(2), good(1)]) });
    }
}

#[test]
fn a_commit_that_arrives_late_does_no_harm() {
    let faults = Faults { crashes: 1, lost_answers: 1, ..NONE };
    holds(&Case { late_commits: true, ..with(faults, &[flaky(1), good(1)]) });
    if is_full() {
        holds(&Case { late_commits: true, members: 2, ..with(faults, &[flaky(1), good(1)]) });
    }
}

#[test]
fn lanes_are_handed_over_between_members() {
    let faults = Faults { releases: 1, slow: 1, cancels: 1, ..NONE };
    holds(&Case { members: 2, ..with(faults, &[flaky(1), good(1)]) });
    if is_full() {
        let faults = Faults { releases: 2, slow: 1, cancels: 1, ..NONE };
        holds(&Case { members: 2, ..with(faults, &[flaky(1), good(1), good(2)]) });
    }
}

#[test]
fn a_lost_lease_loses_nothing() {
    holds(&Case { members: 2, ..with(Faults { lost_leases: 1, slow: 1, ..NONE }, &[flaky(1), good(1)]) });
    if is_full() {
        let faults = Faults { lost_leases: 2, slow: 1, ..NONE };
        holds(&Case { members: 2, ..with(faults, &[flaky(1), good(1)]) });
        let faults = Faults { lost_leases: 1, crashes: 1, releases: 1, ..NONE };
        holds(&Case { members: 2, ..with(faults, &[flaky(1), good(1)]) });
    }
}

#[test]
fn pauses_and_pruning_lose_nothing() {
    holds(&with(Faults { pauses: 1, crashes: 1, slow: 1, ..NONE }, &[flaky(1), good(1), good(2)]));
    holds(&with(Faults { prunes: 3, crashes: 1, slow: 1, ..NONE }, &[flaky(1), good(1), good(2)]));
}
