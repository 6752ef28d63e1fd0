use busway_core::OnDead;

use super::{
    super::case::{Faults, flaky, good, killer, poison},
    NONE, holds, is_full, limited, with,
};

#[test]
fn a_saturated_lane_goes_on_once_a_hold_goes() {
    let saturated = |faults, events: &[_]| limited(with(faults, events), |limits| limits.max_holds = 1);
    holds(&saturated(Faults { crashes: 1, ..NONE }, &[flaky(1), flaky(2), good(1)]));
    holds(&saturated(Faults { crashes: 1, slow: 1, ..NONE }, &[good(1), good(2), good(1)]));
    holds(&saturated(NONE, &[flaky(1), killer(2), good(1)]));
    if is_full() {
        holds(&saturated(Faults { crashes: 1, slow: 1, ..NONE }, &[flaky(1), flaky(2), good(1), good(2)]));
    }
}

#[test]
fn an_open_breaker_finds_out_when_handlers_are_well_again() {
    let broken = |most, faults, events: &[_]| limited(with(faults, events), |limits| limits.breaker = most);
    holds(&broken(1, NONE, &[flaky(1), flaky(2), flaky(1)]));
    holds(&broken(2, Faults { crashes: 1, ..NONE }, &[flaky(1), flaky(2)]));
    holds(&broken(1, NONE, &[poison(1), flaky(1), good(2)]).on_dead(OnDead::Block));
    holds(&broken(1, NONE, &[flaky(1), killer(2), good(2)]));
    if is_full() {
        holds(&broken(2, Faults { crashes: 1, slow: 1, ..NONE }, &[flaky(1), flaky(2), flaky(1)]));
    }
}

#[test]
fn holds_wait_for_room_among_the_armed() {
    holds(&limited(with(Faults { slow: 1, ..NONE }, &[flaky(1), flaky(2), good(1)]), |limits| limits.armed = 1));
}

#[test]
fn a_window_of_few_bytes_is_read_on() {
    holds(&limited(with(NONE, &[flaky(1), good(1), flaky(2)]), |limits| limits.window_bytes = 1));
}
