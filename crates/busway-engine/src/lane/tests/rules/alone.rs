use busway_core::{DeadCause, HoldState, KeyId};

use super::{
    super::super::{BEYOND, stream::ALONE},
    Desk, LIMITS, POLICY, Policy, seqs,
};

#[test]
fn one_lost_process_costs_its_lanes_nothing_but_a_repeat() {
    let mut desk = Desk::of(&[1, 2, 3]);
    desk.read();
    desk.start();
    desk.lose();
    assert_eq!(desk.store.checkpoint.probation, BEYOND);
    desk.read();
    let runs = desk.start();
    assert_eq!(seqs(&runs), [1, 2, 3]);
    assert!(!runs[0].alone);
    desk.ack(&runs[0]);
    assert_eq!(desk.commit().checkpoint.probation, 3);
    desk.ack(&runs[1]);
    desk.ack(&runs[2]);
    assert_eq!(desk.commit().checkpoint.probation, 0);
}

#[test]
fn after_a_second_loss_the_window_runs_alone_and_each_event_is_named_first() {
    let mut desk = Desk::of(&[1, 2]);
    desk.lose();
    desk.lose();
    assert_eq!(desk.store.checkpoint.probation, ALONE);
    desk.read();
    assert!(desk.start().is_empty());
    for seq in [1, 2] {
        desk.commit();
        assert_eq!(desk.store.checkpoint.handed.map(|handed| handed.seq), Some(seq));
        let runs = desk.start();
        assert_eq!((seqs(&runs), runs[0].alone), (vec![seq], true));
        desk.ack(&runs[0]);
    }
    desk.settle();
    let stored = &desk.store.checkpoint;
    assert_eq!((stored.position, stored.handed, stored.probation), (2, None, 0));
}

#[test]
fn a_loss_after_the_first_ones_window_was_passed_is_a_first_one() {
    let mut desk = Desk::of(&[1]);
    desk.lose();
    desk.read();
    let run = desk.start_one();
    desk.ack(&run);
    desk.settle();
    desk.log.push((1, 1));
    desk.lose();
    desk.read();
    assert!(!desk.start_one().alone);
}

#[test]
fn what_comes_after_the_lost_window_waits_and_then_runs_beside_others() {
    let mut desk = Desk::of(&[1]);
    desk.lose();
    desk.lose();
    desk.log.extend([(2, 1), (3, 1)]);
    desk.read();
    desk.commit();
    let runs = desk.start();
    assert_eq!(seqs(&runs), [1]);
    desk.ack(&runs[0]);
    desk.settle();
    let runs = desk.start();
    assert_eq!(seqs(&runs), [2, 3]);
    assert!(!runs[0].alone);
}

#[test]
fn only_who_was_alone_is_charged_with_a_loss() {
    let mut desk = Desk::with(LIMITS, Policy { attempts: 2, ..POLICY }, &[1, 2]);
    desk.lose();
    desk.lose();
    for _ in 0..2 {
        desk.read();
        desk.settle();
        let run = desk.start_one();
        assert_eq!((run.seq, run.alone), (1, true));
        desk.lose();
    }
    assert_eq!(desk.store.dead.iter().copied().collect::<Vec<_>>(), [1]);
    desk.settle();
    desk.read();
    desk.settle();
    let run = desk.start_one();
    assert_eq!((run.seq, run.attempt), (2, 1));
}

#[test]
fn a_killer_is_dead_at_its_last_attempt_without_another_run() {
    let mut desk = Desk::with(LIMITS, Policy { attempts: 1, ..POLICY }, &[1]);
    desk.lose();
    desk.lose();
    desk.read();
    desk.settle();
    desk.start_one();
    desk.lane = super::take(&desk.store, 1, LIMITS, desk.policy);
    let plan = desk.commit();
    assert_eq!((plan.dead[0].seq, plan.dead[0].cause, plan.dead[0].attempts), (1, DeadCause::Lost, 1));
}

#[test]
fn a_hold_that_ran_when_its_process_was_lost_runs_alone_at_once() {
    let mut desk = Desk::of(&[1, 2]);
    desk.read();
    let runs = desk.start();
    desk.fail(&runs[0], 0);
    desk.settle();
    desk.start_one();
    desk.lose();
    let hold = &desk.store.holds[&KeyId(1)];
    assert_eq!((hold.state, hold.attempt), (HoldState::Suspect, 1));
    desk.read();
    assert!(desk.start().is_empty());
    desk.settle();
    let runs = desk.start();
    assert_eq!((seqs(&runs), runs[0].alone, runs[0].attempt), (vec![1], true, 2));
    desk.ack(&runs[0]);
    desk.settle();
    let runs = desk.start();
    assert_eq!((seqs(&runs), runs[0].alone), (vec![2], false));
}

#[test]
fn a_suspect_that_waits_for_its_time_slows_nobody() {
    let mut desk = Desk::of(&[1]);
    desk.lose();
    desk.lose();
    desk.read();
    desk.commit();
    let run = desk.start_one();
    desk.fail(&run, 100);
    desk.log.extend([(2, 1), (3, 1)]);
    desk.settle();
    assert_eq!(desk.store.holds[&KeyId(1)].state, HoldState::Suspect);
    desk.read();
    let runs = desk.start();
    assert_eq!(seqs(&runs), [2, 3]);
    desk.now = super::at(100);
    assert!(desk.try_commit().is_none());
    desk.ack(&runs[0]);
    desk.ack(&runs[1]);
    desk.settle();
    let run = desk.start_one();
    assert_eq!((run.seq, run.alone, run.attempt), (1, true, 2));
}

#[test]
fn a_lane_handed_over_while_it_is_wary_stays_so() {
    let mut desk = Desk::of(&[1, 2]);
    desk.lose();
    desk.lose();
    desk.lane.release();
    desk.commit();
    desk.lose();
    desk.read();
    assert!(desk.start().is_empty());
    desk.commit();
    assert!(desk.start_one().alone);
}

#[test]
fn an_alone_run_needs_the_permit_and_gives_it_back() {
    let mut desk = Desk::of(&[1]);
    desk.lose();
    desk.lose();
    assert!(desk.lane.returns_permit(desk.now));
    desk.read();
    assert!(desk.try_commit().is_none());
    assert!(desk.lane.wants_permit(desk.now));
    desk.lane.grant();
    desk.commit();
    assert!(!desk.lane.returns_permit(desk.now));
    let run = desk.start_one();
    desk.ack(&run);
    assert!(!desk.lane.returns_permit(desk.now));
    desk.settle();
    assert!(desk.lane.returns_permit(desk.now));
    assert!(!desk.lane.returns_permit(desk.now));
}

#[test]
fn a_lost_lane_keeps_the_permit_until_its_handler_has_ended() {
    let mut desk = Desk::of(&[1]);
    desk.lose();
    desk.lose();
    desk.read();
    desk.commit();
    let run = desk.start_one();
    desk.lane.fenced();
    assert!(!desk.lane.returns_permit(desk.now));
    desk.ack(&run);
    assert!(desk.lane.returns_permit(desk.now));
}

#[test]
fn a_pause_takes_back_what_is_named_and_has_not_started() {
    let mut desk = Desk::of(&[1]);
    desk.lose();
    desk.lose();
    desk.read();
    desk.commit();
    desk.lane.pause(true);
    desk.commit();
    assert_eq!(desk.store.checkpoint.handed, None);
    assert!(desk.lane.returns_permit(desk.now));
    desk.lane.pause(false);
    desk.lane.grant();
    desk.commit();
    assert!(desk.start_one().alone);
}
