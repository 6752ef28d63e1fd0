use busway_core::{Seq, TurnId};

use super::{super::super::Item, Desk, LIMITS, POLICY, at, key_of, seqs};

#[test]
fn the_first_commit_takes_the_lane_under_the_next_fence() {
    let desk = Desk::of(&[]);
    let stored = &desk.store.checkpoint;
    assert_eq!((stored.version.fence, stored.version.n, stored.released), (1, 0, false));
    assert!(!desk.lane.is_taking());
}

#[test]
fn one_commit_settles_a_whole_batch() {
    let mut desk = Desk::of(&[1, 2, 3]);
    desk.read();
    for run in desk.start() {
        desk.ack(&run);
    }
    assert_eq!(desk.commit().checkpoint.position, 3);
    assert!(desk.try_commit().is_none());
}

#[test]
fn only_one_commit_is_under_way() {
    let mut desk = Desk::of(&[1, 2]);
    desk.read();
    let runs = desk.start();
    desk.ack(&runs[0]);
    let plan = desk.lane.poll_commit(desk.now, 1);
    desk.ack(&runs[1]);
    assert!(plan.is_some());
    assert!(desk.lane.poll_commit(desk.now, 2).is_none());
}

#[test]
fn the_position_stays_below_what_runs() {
    let mut desk = Desk::of(&[1, 2, 3]);
    desk.read();
    let runs = desk.start();
    desk.ack(&runs[0]);
    desk.ack(&runs[2]);
    desk.settle();
    assert_eq!(desk.position(), 1);
    desk.ack(&runs[1]);
    desk.settle();
    assert_eq!(desk.position(), 3);
}

#[test]
fn a_position_that_passes_only_what_nobody_wants_is_stored_lazily() {
    let mut desk = Desk::of(&[1]);
    let wish = desk.lane.poll_read().expect("a wish");
    desk.lane.read(wish, [], 1);
    assert!(desk.try_commit().is_none());
    assert_eq!(desk.lane.deadline(desk.now), Some(at(LIMITS.lazy_ms)));
    desk.now = at(LIMITS.lazy_ms);
    assert_eq!(desk.commit().checkpoint.position, 1);
}

#[test]
fn the_window_has_no_more_than_it_may_until_the_position_is_confirmed() {
    let mut desk = Desk::of(&[0; 20]);
    desk.read();
    assert_eq!(desk.lane.cursor(), 8);
    for run in desk.start() {
        desk.ack(&run);
    }
    desk.read();
    assert_eq!(desk.lane.cursor(), 8);
    desk.settle();
    desk.read();
    assert_eq!(desk.lane.cursor(), 16);
}

#[test]
fn the_window_is_bounded_in_bytes() {
    let mut desk = Desk::with(super::Limits { window_bytes: 25, ..LIMITS }, POLICY, &[0; 20]);
    let wish = desk.lane.poll_read().expect("a wish");
    assert_eq!((wish.max, wish.max_bytes), (8, 25));
}

#[test]
fn an_answer_to_a_wish_that_was_given_up_is_ignored() {
    let mut desk = Desk::of(&[1]);
    let wish = desk.lane.poll_read().expect("a wish");
    desk.lane.read_failed(wish);
    desk.lane.read(wish, [], 1);
    assert_eq!(desk.lane.cursor(), 0);
    desk.read();
    assert_eq!(seqs(&desk.start()), [1]);
}

#[test]
fn a_refused_commit_ends_everything() {
    let mut desk = Desk::of(&[1, 2]);
    desk.read();
    let run = desk.start_one();
    desk.lane.fenced();
    assert!(desk.lane.is_lost());
    desk.ack(&run);
    assert!(desk.try_commit().is_none());
    assert!(desk.start().is_empty());
    assert!(desk.lane.poll_read().is_none());
}

#[test]
fn a_lane_is_released_once_nothing_runs_and_by_its_last_commit() {
    let mut desk = Desk::of(&[1, 2]);
    desk.read();
    let run = desk.start_one();
    desk.lane.release();
    assert!(desk.try_commit().is_none());
    assert!(desk.start().is_empty());
    desk.ack(&run);
    let plan = desk.commit();
    assert!(plan.checkpoint.released);
    assert_eq!(plan.checkpoint.position, 1);
    assert!(desk.lane.is_released());
    assert!(desk.try_commit().is_none());
}

#[test]
fn a_paused_lane_settles_what_runs_and_starts_nothing() {
    let mut desk = Desk::of(&[1, 1]);
    desk.read();
    let run = desk.start_one();
    desk.lane.pause(true);
    desk.ack(&run);
    desk.settle();
    assert_eq!(desk.position(), 1);
    assert!(desk.start().is_empty());
    desk.lane.pause(false);
    assert_eq!(seqs(&desk.start()), [2]);
}

#[test]
fn a_lane_is_idle_when_all_is_settled_or_waits_for_its_time() {
    let mut desk = Desk::of(&[1]);
    desk.read();
    let run = desk.start_one();
    assert!(!desk.lane.is_idle(desk.now));
    desk.fail(&run, 100);
    assert!(!desk.lane.is_idle(desk.now));
    desk.settle();
    assert!(desk.lane.is_idle(desk.now));
    assert!(!desk.lane.is_idle(at(100)));
}

#[test]
fn what_a_store_gives_twice_is_taken_once() {
    let mut desk = Desk::of(&[1, 2, 0]);
    let wish = desk.lane.poll_read().unwrap();
    let item = |seq: Seq| Item { seq, key: key_of([1, 2, 0][seq as usize - 1], seq), turn: TurnId(1), size: 10 };
    desk.lane.read(wish, [1, 1, 2, 3, 2, 3].map(|seq| (item(seq), ())), 3);
    let runs = desk.start();
    assert_eq!(seqs(&runs), [1, 2, 3]);
    runs.iter().for_each(|run| desk.ack(run));
    desk.settle();
    assert_eq!(desk.position(), 3);
}
