use busway_core::OnDead;

use super::{
    super::case::{Ask, Case, Faults, fickle, flaky, good, killer, poison},
    NONE, holds, is_full, with,
};

#[test]
fn dead_letters_are_retried_and_discarded() {
    let faults = Faults { crashes: 1, ..NONE };
    let case = with(faults, &[poison(1), fickle(1)]);
    holds(&Case { asks: vec![Ask::Retry(1), Ask::Retry(2)], counted: true, ..case });
    holds(&Case { asks: vec![Ask::Retry(1), Ask::Discard(1)], ..with(faults, &[poison(1), good(1)]) });
    holds(&Case { asks: vec![Ask::Retry(1)], ..with(faults, &[poison(0), good(0)]) });
    holds(&Case { asks: vec![Ask::Retry(1)], ..with(NONE, &[killer(1), good(1)]) });
    if is_full() {
        let faults = Faults { crashes: 1, slow: 1, ..NONE };
        let asks = vec![Ask::Retry(1), Ask::Retry(2), Ask::Discard(1)];
        holds(&Case { asks, ..with(faults, &[poison(1), fickle(1), good(1)]) });
        let lost = Faults { lost_leases: 1, ..NONE };
        holds(&Case { asks: vec![Ask::Retry(1)], members: 2, ..with(lost, &[poison(1), good(1)]) });
    }
}

#[test]
fn a_dead_letter_blocks_its_key_until_someone_decides() {
    let case = |faults, asks: &[Ask]| {
        let events = [poison(1), fickle(1), good(2)];
        Case { asks: asks.to_vec(), ..with(faults, &events) }.on_dead(OnDead::Block)
    };
    holds(&case(Faults { slow: 1, ..NONE }, &[Ask::Retry(1), Ask::Discard(1)]));
    holds(&case(Faults { crashes: 1, ..NONE }, &[Ask::Retry(1)]));
    if is_full() {
        holds(&case(Faults { crashes: 1, slow: 1, ..NONE }, &[Ask::Retry(1), Ask::Discard(1), Ask::Retry(2)]));
    }
}

#[test]
fn a_seek_goes_on_from_where_it_says() {
    let faults = Faults { crashes: 1, ..NONE };
    holds(&Case { asks: vec![Ask::Seek(0), Ask::Seek(2)], ..with(faults, &[flaky(1), good(1), good(2)]) });
    holds(&Case { asks: vec![Ask::Seek(0), Ask::Retry(1)], ..with(faults, &[poison(1), good(1)]) });
    holds(&Case { asks: vec![Ask::Seek(0), Ask::Retry(1)], ..with(faults, &[poison(0), good(0)]) });
    let blocks = with(NONE, &[poison(1), good(1)]).on_dead(OnDead::Block);
    holds(&Case { asks: vec![Ask::Seek(0), Ask::Discard(1), Ask::Retry(1)], ..blocks });
    holds(&Case { asks: vec![Ask::Seek(0)], ..with(Faults { releases: 1, ..NONE }, &[killer(1), good(2)]) });
}

#[test]
fn another_definition_takes_effect_at_one_point_and_nothing_is_skipped() {
    let events = [
        good(1).wanted([true, true]),
        good(1).wanted([true, false]),
        good(2).wanted([false, true]),
        good(1).wanted([true, true]),
    ];
    let case = with(Faults { crashes: 1, ..NONE }, &events[..3]);
    holds(&Case { asks: vec![Ask::Redefine], published: 1, ..case });
    if is_full() {
        let case = with(Faults { crashes: 1, slow: 1, ..NONE }, &events);
        holds(&Case { asks: vec![Ask::Redefine], published: 1, slow_reads: true, ..case });
        let case = with(Faults { lost_leases: 1, ..NONE }, &events[..3]);
        holds(&Case { asks: vec![Ask::Redefine], published: 1, members: 2, ..case });
    }
}
