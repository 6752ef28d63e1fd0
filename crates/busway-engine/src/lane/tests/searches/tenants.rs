use super::{
    super::case::{Ask, Case, Event, Faults, flaky, good, killer, poison},
    NONE, holds, is_full, limited, with,
};

/// Whoever has most of a full window is held at once.
fn crowded(faults: Faults, events: &[Event]) -> Case {
    limited(with(faults, events), |limits| limits.crowd_ms = 0)
}

#[test]
fn a_held_tenant_loses_nothing_and_keeps_order() {
    let other = good(2).of_tenant(2);
    holds(&crowded(Faults { slow: 1, ..NONE }, &[good(1), flaky(1), other, good(1)]));
    holds(&crowded(Faults { crashes: 1, ..NONE }, &[good(1), good(1), other, flaky(1)]));
    holds(&crowded(Faults { crashes: 1, ..NONE }, &[good(0), good(1), other, good(0)]));
    if is_full() {
        holds(&crowded(Faults { crashes: 2, slow: 1, ..NONE }, &[good(1), flaky(1), other, good(1)]));
        holds(&crowded(Faults { crashes: 2, ..NONE }, &[good(1), good(1), other, other, good(1)]));
        holds(
            &crowded(Faults { crashes: 1, slow: 1, ..NONE }, &[good(1), flaky(1), other, good(3), good(1)]).window(4),
        );
    }
}

#[test]
fn a_held_tenant_is_handed_over_and_pruned_behind() {
    let other = good(2).of_tenant(2);
    holds(&crowded(Faults { releases: 1, prunes: 2, ..NONE }, &[good(1), flaky(1), other]));
    let slow_reads = Case { slow_reads: true, published: 2, ..crowded(NONE, &[good(1), flaky(1), other, good(1)]) };
    holds(&slow_reads);
    if is_full() {
        let lost = Faults { lost_leases: 1, ..NONE };
        holds(&Case { members: 2, ..crowded(lost, &[good(1), good(1), other]) });
        let later = Case {
            published: 2,
            ..crowded(Faults { crashes: 1, slow: 1, ..NONE }, &[good(1), flaky(1), other, good(1)])
        };
        holds(&later);
    }
}

#[test]
fn a_killer_of_a_held_tenant_is_dead_after_its_attempts() {
    let other = good(2).of_tenant(2);
    for events in [[killer(1), good(3), other], [good(1), killer(1), other], [good(1), good(3), killer(2).of_tenant(2)]]
    {
        holds(&crowded(NONE, &events));
        holds(&crowded(Faults { releases: 1, ..NONE }, &events));
    }
}

/// What is still to be read of a lost window must not keep waiting what it needs to be read.
#[test]
fn a_held_tenant_whose_window_was_lost_twice_is_read_in_a_lane_that_takes_nothing_more() {
    let other = good(2).of_tenant(2);
    let flaky_other = flaky(2).of_tenant(2);
    let twice = |events: &[Event]| crowded(Faults { crashes: 2, ..NONE }, events).attempts(1);
    holds(&limited(twice(&[good(1), good(1), other]), |limits| limits.window_bytes = 1));
    if is_full() {
        holds(&limited(twice(&[flaky(1), flaky(1), other]), |limits| limits.breaker = 1));
        holds(&limited(twice(&[good(1), good(1), flaky_other, other]), |limits| limits.breaker = 1));
        holds(&limited(twice(&[good(1), good(1), flaky_other, other]), |limits| limits.max_holds = 1));
    }
}

#[test]
fn requests_reach_a_held_tenant() {
    let other = good(2).of_tenant(2);
    let events = [poison(1), good(1), other, good(1)];
    holds(&Case { asks: vec![Ask::Retry(1)], ..crowded(Faults { crashes: 1, ..NONE }, &events) });
    holds(&Case { asks: vec![Ask::Seek(0)], ..crowded(NONE, &[good(1), good(1), other]) });
    let saturated = crowded(Faults { crashes: 1, ..NONE }, &[flaky(1), flaky(3), other, good(1)]);
    holds(&limited(saturated, |limits| limits.max_holds = 1));
}
