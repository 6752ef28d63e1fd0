use busway_core::{HoldState, KeyId, OnDead};

use super::{super::super::End, Desk, LIMITS, Limits, POLICY, Policy, at, seqs};

#[test]
fn a_failed_event_is_a_hold_and_the_position_passes_it() {
    let mut desk = Desk::of(&[1, 2]);
    desk.read();
    let runs = desk.start();
    desk.ack(&runs[1]);
    desk.fail(&runs[0], 100);
    let plan = desk.commit();
    assert_eq!(plan.checkpoint.position, 2);
    let hold = &plan.holds[0];
    assert_eq!(
        (hold.done, hold.head, hold.state, hold.attempt, hold.due),
        (0, Some(1), HoldState::Waiting, 1, at(100))
    );
}

#[test]
fn a_hold_runs_when_it_is_due_and_its_run_is_stored() {
    let mut desk = Desk::of(&[1]);
    desk.read();
    let run = desk.start_one();
    desk.fail(&run, 100);
    desk.settle();
    assert_eq!(desk.lane.deadline(desk.now), Some(at(100)));
    desk.now = at(100);
    let plan = desk.lane.poll_commit(desk.now, 1).expect("a commit");
    assert_eq!((plan.holds[0].state, plan.holds[0].attempt), (HoldState::Running, 2));
    assert!(desk.start().is_empty());
    desk.lane.confirm();
    let run = desk.start_one();
    assert_eq!((run.seq, run.attempt, run.body), (1, 2, None));
}

#[test]
fn only_the_key_of_a_failed_event_waits() {
    let mut desk = Desk::of(&[1, 1, 2, 1]);
    desk.read();
    let runs = desk.start();
    assert_eq!(seqs(&runs), [1, 3]);
    desk.fail(&runs[0], 100);
    desk.ack(&runs[1]);
    desk.settle();
    assert_eq!(desk.position(), 4);
    assert_eq!(desk.store.holds[&KeyId(1)].backlog, [2, 4]);
    desk.now = at(100);
    for expected in [1, 2, 4] {
        desk.settle();
        let run = desk.start_one();
        assert_eq!(run.seq, expected);
        desk.ack(&run);
    }
    desk.settle();
    assert!(desk.store.holds.is_empty());
}

#[test]
fn what_a_hold_has_behind_its_head_is_stored_once_and_not_before_the_position_passes_it() {
    let mut desk = Desk::of(&[1, 2, 1, 1]);
    desk.read();
    let runs = desk.start();
    desk.fail(&runs[0], 100);
    assert_eq!(desk.commit().chunks, []);
    desk.ack(&runs[1]);
    assert_eq!(desk.commit().chunks, [(KeyId(1), vec![3, 4])]);
    assert!(desk.try_commit().is_none());
}

#[test]
fn a_hold_stays_until_the_position_is_past_what_it_settled() {
    let mut desk = Desk::of(&[1, 2, 2]);
    desk.read();
    let runs = desk.start();
    desk.fail(&runs[1], 0);
    for _ in 0..2 {
        desk.settle();
        let run = desk.start_one();
        desk.ack(&run);
    }
    desk.settle();
    assert_eq!((desk.position(), desk.store.holds[&KeyId(2)].done), (0, 3));
    desk.ack(&runs[0]);
    desk.settle();
    assert_eq!(desk.position(), 3);
    assert!(desk.store.holds.is_empty());
}

#[test]
fn a_slow_run_is_a_hold_whose_handler_runs() {
    let mut desk = Desk::of(&[1, 2, 1]);
    desk.read();
    let runs = desk.start();
    desk.ack(&runs[1]);
    assert_eq!(desk.lane.deadline(desk.now), Some(at(LIMITS.slow_ms)));
    desk.now = at(LIMITS.slow_ms);
    desk.lane.tick(desk.now);
    let plan = desk.commit();
    assert_eq!((plan.checkpoint.position, plan.holds[0].state, plan.holds[0].attempt), (3, HoldState::Running, 1));
    desk.ack(&runs[0]);
    desk.settle();
    assert_eq!(desk.start_one().seq, 3);
}

#[test]
fn what_runs_at_the_front_of_a_full_window_is_a_hold() {
    let mut desk = Desk::with(Limits { window: 2, ..LIMITS }, POLICY, &[1, 2, 2, 2]);
    desk.read();
    let runs = desk.start();
    desk.lane.tick(desk.now);
    desk.settle();
    assert_eq!(desk.position(), 1);
    assert_eq!(desk.store.holds[&KeyId(1)].state, HoldState::Running);
    desk.ack(&runs[1]);
    desk.settle();
    desk.read();
    assert_eq!(desk.lane.cursor(), 4);
}

#[test]
fn the_last_attempt_leaves_a_dead_letter_and_the_key_goes_on() {
    let mut desk = Desk::with(LIMITS, Policy { attempts: 2, ..POLICY }, &[1, 1]);
    desk.read();
    let run = desk.start_one();
    desk.fail(&run, 0);
    desk.settle();
    let run = desk.start_one();
    desk.fail(&run, 0);
    let plan = desk.commit();
    assert_eq!((plan.dead[0].seq, plan.dead[0].attempts, plan.dead[0].failures.len()), (1, 2, 2));
    assert_eq!(plan.holds[0].done, 1);
    let next = desk.start_one();
    assert_eq!((next.seq, next.attempt), (2, 1));
}

#[test]
fn a_key_goes_on_only_once_the_dead_letter_is_stored() {
    let mut desk = Desk::of(&[1]);
    desk.read();
    let run = desk.start_one();
    desk.kill(&run);
    let plan = desk.lane.poll_commit(desk.now, 1).expect("a commit");
    assert_eq!((plan.dead.len(), plan.holds.len(), plan.released.len()), (1, 1, 0));
    desk.log.push((1, 1));
    desk.read();
    assert!(desk.start().is_empty());
    assert_eq!(desk.store.commit(&plan), Ok(true));
    desk.lane.confirm();
    desk.settle();
    assert_eq!(desk.start_one().seq, 2);
}

#[test]
fn a_dead_letter_blocks_its_key_if_the_policy_says_so() {
    let mut desk = Desk::with(LIMITS, Policy { on_dead: OnDead::Block, ..POLICY }, &[1, 1]);
    desk.read();
    let run = desk.start_one();
    desk.kill(&run);
    desk.settle();
    assert_eq!(desk.store.holds[&KeyId(1)].state, HoldState::Blocked);
    assert!(desk.start().is_empty());
    assert!(desk.lane.is_idle(desk.now));
}

#[test]
fn a_cancelled_run_is_no_attempt() {
    let mut desk = Desk::of(&[1, 2]);
    desk.read();
    let runs = desk.start();
    desk.lane.outcome(&runs[0], End::Cancelled, desk.now);
    let again = desk.start_one();
    assert_eq!((again.seq, again.attempt), (1, 1));
    desk.fail(&again, 0);
    desk.settle();
    let second = desk.start_one();
    desk.lane.outcome(&second, End::Cancelled, desk.now);
    desk.settle();
    assert_eq!(desk.start_one().attempt, 2);
}

#[test]
fn a_hold_goes_on_with_another_holder_from_where_it_stands() {
    let mut desk = Desk::of(&[1, 1, 2, 1]);
    desk.read();
    let runs = desk.start();
    desk.ack(&runs[1]);
    desk.fail(&runs[0], 100);
    desk.settle();
    desk.lose();
    assert_eq!(desk.lane.deadline(desk.now), Some(at(100)));
    desk.now = at(100);
    for (seq, attempt) in [(1, 2), (2, 1), (4, 1)] {
        desk.settle();
        let run = desk.start_one();
        assert_eq!((run.seq, run.attempt), (seq, attempt));
        desk.ack(&run);
    }
    desk.settle();
    assert!(desk.store.holds.is_empty());
}
