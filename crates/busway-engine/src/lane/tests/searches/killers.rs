use super::{
    super::case::{Case, Event, Faults, flaky, good, killer, moody},
    NONE, holds, is_full, with,
};

/// Every arrangement of a killer among three events of these keys.
fn places(others: [Event; 2], key: u128) -> [Vec<Event>; 3] {
    let [first, second] = others;
    let killer = killer(key);
    [vec![killer, first, second], vec![first, killer, second], vec![first, second, killer]]
}

#[test]
fn a_killer_is_dead_after_its_attempts_wherever_it_stands_and_nobody_else_pays() {
    for key in 0..=2 {
        for events in places([good(1), flaky(2)], key) {
            holds(&with(NONE, &events));
            holds(&with(Faults { slow: 1, ..NONE }, &events));
        }
    }
}

#[test]
fn a_killer_is_dead_after_one_attempt_or_three() {
    for events in places([good(1), good(2)], 1) {
        for attempts in [1, 3] {
            holds(&with(Faults { slow: 1, ..NONE }, &events).attempts(attempts));
        }
    }
}

#[test]
fn a_killer_is_dead_in_a_larger_window() {
    for mut events in places([good(1), good(2)], 1) {
        events.push(good(3));
        holds(&with(NONE, &events).window(3));
        if is_full() {
            holds(&with(Faults { slow: 2, ..NONE }, &events).window(3));
        }
    }
}

#[test]
fn two_killers_are_dead_after_their_attempts() {
    holds(&with(NONE, &[killer(1), good(2), killer(1)]));
    holds(&with(NONE, &[killer(1), killer(2), good(1)]));
    holds(&with(Faults { slow: 2, ..NONE }, &[good(1), killer(1), killer(2)]));
}

#[test]
fn an_event_that_kills_at_times_pays_only_for_itself() {
    holds(&with(NONE, &[moody(1), good(2)]));
    holds(&with(Faults { slow: 1, ..NONE }, &[good(2), moody(1), good(1)]));
    if is_full() {
        holds(&with(Faults { slow: 1, ..NONE }, &[moody(1), moody(2), good(1)]));
    }
}

#[test]
fn killers_are_found_beside_other_losses() {
    for events in places([good(1), good(2)], 2) {
        holds(&with(Faults { crashes: 1, ..NONE }, &events));
    }
    let lost = Faults { lost_leases: 1, ..NONE };
    holds(&Case { members: 2, ..with(lost, &[killer(1), good(2)]) });
    if is_full() {
        holds(&Case { members: 2, ..with(Faults { slow: 1, ..lost }, &[good(1), killer(1), good(2)]) });
        holds(&with(Faults { crashes: 2, slow: 1, ..NONE }, &[good(1), killer(1), good(2)]));
    }
}

#[test]
fn killers_are_found_though_the_lane_is_handed_over_and_paused() {
    for events in places([good(1), good(2)], 2) {
        holds(&with(Faults { releases: 2, ..NONE }, &events));
    }
    holds(&with(Faults { releases: 2, cancels: 1, slow: 1, ..NONE }, &[good(1), killer(1)]));
    holds(&with(Faults { pauses: 2, ..NONE }, &[good(1), killer(2)]));
    if is_full() {
        holds(&with(Faults { releases: 3, cancels: 1, slow: 1, ..NONE }, &[good(1), killer(1), good(2)]));
        holds(&Case { members: 2, ..with(Faults { releases: 2, slow: 1, ..NONE }, &[good(1), killer(1)]) });
    }
}
