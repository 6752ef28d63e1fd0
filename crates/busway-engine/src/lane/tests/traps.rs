//! Every rule left out in turn: the search must find what it is for.

use super::{
    super::{Limits, rule::Rule},
    LEFT_OUT,
    case::{Ask, Case, Event, Faults, flaky, good, killer, poison},
    explore::explore,
    searches::{NONE, with},
};

const LOST: &str = "settled without being acknowledged or dead";
const ASLEEP: &str = "a lane sleeps, and nothing wakes it";
const UNSEEN: &str = "a killer runs unseen more than twice";

#[track_caller]
fn breaks(rule: Rule, expected: &str, case: &Case) {
    let whole = explore(case, 400_000);
    assert_eq!(whole.broken, None, "with every rule");
    LEFT_OUT.set(Some(rule));
    let found = explore(case, 400_000);
    LEFT_OUT.set(None);
    let (violation, way) = found.broken.expect("a violation");
    assert_eq!(violation, expected, "without {rule:?}, after {} states: {way:?}", found.states);
}

fn crash() -> Faults {
    Faults { crashes: 1, ..NONE }
}

fn slow() -> Faults {
    Faults { slow: 1, ..NONE }
}

#[test]
fn a_hold_that_forgets_what_is_read_of_its_key_loses_it() {
    breaks(Rule::HoldRemembers, LOST, &with(NONE, &[flaky(1), good(2), good(1)]));
}

#[test]
fn a_hold_that_goes_before_the_position_is_past_it_takes_back_what_it_settled() {
    breaks(Rule::HoldWaitsForPosition, "settled, and then not settled", &with(crash(), &[good(1), poison(2)]));
}

#[test]
fn a_key_that_goes_on_before_the_dead_letter_is_stored_overtakes_it() {
    breaks(
        Rule::LetterFirst,
        "acknowledged before what is earlier of its key",
        &with(NONE, &[poison(1), good(2), good(1)]),
    );
}

#[test]
fn a_dead_delivery_that_is_no_hold_is_lost() {
    breaks(Rule::DeadIsHold, LOST, &with(NONE, &[poison(1), good(1)]));
}

#[test]
fn a_run_without_its_head_is_lost_with_its_process() {
    breaks(Rule::HeadIsStored, LOST, &with(crash(), &[flaky(1), good(1)]));
}

#[test]
fn a_run_that_is_not_stored_is_seen_by_nobody() {
    breaks(Rule::RunIsStored, "a hold's run is not stored before it starts", &with(crash(), &[flaky(1), good(1)]));
}

#[test]
fn a_lane_released_while_handlers_run_has_two_of_a_key() {
    let case = with(Faults { releases: 1, ..NONE }, &[Event { acks: false, ..flaky(1) }]);
    breaks(Rule::RunsAreAwaited, "two handlers of a key", &Case { members: 2, ..case });
}

#[test]
fn a_lane_released_with_gaps_repeats_what_is_behind_them() {
    let case = with(Faults { releases: 1, ..NONE }, &[good(1), good(1), good(2)]);
    breaks(Rule::GapsAreHeld, "a lane that is handed over repeats", &case.window(3));
}

#[test]
fn a_full_lane_that_is_not_read_up_to_its_holds_is_stuck() {
    let case = with(Faults { crashes: 1, slow: 1, ..NONE }, &[good(1), good(2)]);
    let limits = Limits { max_holds: 1, ..case.limits };
    breaks(Rule::HoldsAreRead, ASLEEP, &Case { limits, ..case });
}

#[test]
fn an_open_breaker_with_nothing_to_try_is_stuck() {
    let case = with(NONE, &[poison(1), good(2), good(1)]);
    let limits = Limits { breaker: 1, ..case.limits };
    breaks(Rule::BreakerReads, ASLEEP, &Case { limits, ..case });
}

#[test]
fn a_definition_that_decides_from_before_the_cursor_skips_what_was_read() {
    let events = [good(1), good(1).wanted([false, true]), good(2).wanted([true, false])];
    let case = with(NONE, &events);
    breaks(Rule::CutIsBehindCursor, LOST, &Case { asks: vec![Ask::Redefine], published: 1, ..case });
}

#[test]
fn what_runs_before_a_seek_is_stored_runs_though_it_is_settled() {
    let case = with(NONE, &[good(1), good(2)]);
    breaks(Rule::SeekIsStored, LOST, &Case { asks: vec![Ask::Seek(0)], ..case });
}

#[test]
fn whoever_ran_beside_a_killer_pays_for_it() {
    breaks(Rule::OnlyAloneIsCharged, "an innocent pays an attempt", &with(slow(), &[good(1), killer(2)]));
}

#[test]
fn a_hold_that_kills_is_never_seen_to() {
    breaks(Rule::SuspectsRunAlone, UNSEEN, &with(slow(), &[good(1), killer(1)]));
}

#[test]
fn a_hold_that_was_cancelled_kills_unseen_again() {
    let faults = Faults { cancels: 1, slow: 1, releases: 1, ..NONE };
    breaks(Rule::SuspectsStaySo, UNSEEN, &with(faults, &[good(1), killer(1)]));
}

#[test]
fn a_killer_in_the_window_is_never_seen() {
    breaks(Rule::LostWindowRunsAlone, UNSEEN, &with(NONE, &[killer(1), good(2)]));
}

#[test]
fn a_killer_behind_another_of_its_key_kills_unseen_again() {
    breaks(Rule::LostWindowRunsAloneInHolds, UNSEEN, &with(NONE, &[flaky(1), killer(1)]));
}

#[test]
fn a_killer_behind_one_that_was_charged_kills_unseen_again() {
    let faults = Faults { crashes: 2, ..NONE };
    breaks(Rule::BehindAloneIsAlone, UNSEEN, &with(faults, &[good(1), killer(1)]));
}

#[test]
fn a_killer_in_a_lane_that_is_handed_over_kills_unseen_again() {
    breaks(Rule::ReleaseStaysWary, UNSEEN, &with(Faults { releases: 1, ..NONE }, &[killer(1), good(2)]));
}

#[test]
fn an_event_that_is_named_longer_than_it_runs_pays_for_others() {
    breaks(Rule::HandedIsCleared, "handed names what does not run alone", &with(NONE, &[killer(1), good(2)]));
}
