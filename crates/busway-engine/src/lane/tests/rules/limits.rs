use super::{Desk, LIMITS, Limits, POLICY, Policy, at, seqs};

#[test]
fn a_lane_with_as_many_holds_as_it_may_have_stops_fetching() {
    let mut desk = Desk::with(Limits { max_holds: 2, window: 2, ..LIMITS }, POLICY, &[1, 2, 3]);
    desk.read();
    for run in desk.start() {
        desk.fail(&run, 100);
    }
    desk.settle();
    assert!(desk.lane.is_saturated());
    assert!(desk.lane.poll_read().is_none());
    desk.now = at(100);
    desk.settle();
    for run in desk.start() {
        desk.ack(&run);
    }
    desk.settle();
    desk.read();
    assert_eq!(seqs(&desk.start()), [3]);
}

#[test]
fn no_more_holds_are_armed_than_may_be() {
    let mut desk = Desk::with(Limits { armed: 1, ..LIMITS }, POLICY, &[1, 2]);
    desk.read();
    for run in desk.start() {
        desk.fail(&run, 0);
    }
    desk.settle();
    let runs = desk.start();
    assert_eq!(seqs(&runs), [1]);
    desk.ack(&runs[0]);
    desk.settle();
    assert_eq!(seqs(&desk.start()), [2]);
}

#[test]
fn when_everything_fails_one_key_is_tried_and_nothing_is_fetched() {
    let mut desk = Desk::with(Limits { breaker: 2, window: 4, ..LIMITS }, POLICY, &[1, 2, 3, 4, 5]);
    desk.read();
    let runs = [desk.start_one(), desk.start_one()];
    desk.fail(&runs[0], 100);
    desk.fail(&runs[1], 100);
    assert!(desk.lane.is_broken());
    desk.settle();
    assert!(desk.start().is_empty());
    assert!(desk.lane.poll_read().is_none());
    desk.now = at(100);
    desk.settle();
    let probe = desk.start();
    assert_eq!(seqs(&probe), [1]);
    desk.ack(&probe[0]);
    assert!(!desk.lane.is_broken());
    desk.settle();
    desk.read();
    assert_eq!(seqs(&desk.start()), [2, 3, 4, 5]);
}

#[test]
fn a_breaker_with_no_hold_tries_the_next_event() {
    let policy = Policy { attempts: 1, ..POLICY };
    let mut desk = Desk::with(Limits { breaker: 1, window: 1, ..LIMITS }, policy, &[1, 2]);
    desk.read();
    let run = desk.start_one();
    desk.fail(&run, 0);
    desk.settle();
    assert!(desk.lane.is_broken());
    desk.read();
    assert_eq!(seqs(&desk.start()), [2]);
}

#[test]
fn a_deadline_is_never_over() {
    let mut desk = Desk::with(Limits { armed: 1, ..LIMITS }, POLICY, &[1, 2]);
    desk.read();
    for run in desk.start() {
        desk.fail(&run, 100);
    }
    desk.settle();
    desk.now = at(100);
    desk.settle();
    desk.start_one();
    assert_eq!(desk.lane.deadline(desk.now), None);
}
