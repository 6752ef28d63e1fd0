use busway_core::{KeyId, OnDead, RequestKind, Segment, Seq};

use super::{Desk, LIMITS, POLICY, Policy, at, seqs};

impl Desk {
    fn ask(&mut self, kind: RequestKind) {
        self.store.ask(kind);
        self.lane.requested(self.store.requests.clone());
    }

    fn retry(&mut self, seq: Seq) {
        self.ask(RequestKind::Retry { seq, key: self.log[seq as usize - 1].0, turn: 1 });
    }

    fn discard(&mut self, seq: Seq) {
        self.ask(RequestKind::Discard { seq, key: self.log[seq as usize - 1].0 });
    }

    /// The first event of these keys is dead, the rest as it comes.
    fn dead(policy: Policy, keys: &[u128]) -> Self {
        let mut desk = Self::with(LIMITS, policy, keys);
        desk.read();
        let run = desk.start_one();
        desk.kill(&run);
        desk.settle();
        desk
    }
}

const BLOCK: Policy = Policy { on_dead: OnDead::Block, ..POLICY };

#[test]
fn a_retried_dead_letter_runs_before_the_rest_of_its_key_and_goes_once_it_is_acknowledged() {
    let mut desk = Desk::dead(POLICY, &[1]);
    desk.log.push((1, 1));
    desk.read();
    desk.retry(1);
    for (seq, again) in [(1, true), (2, false)] {
        desk.settle();
        let runs = desk.start();
        assert_eq!((seqs(&runs), runs[0].again, runs[0].attempt), (vec![seq], again, 1));
        desk.ack(&runs[0]);
    }
    desk.settle();
    assert!(desk.store.dead.is_empty() && desk.store.holds.is_empty());
}

#[test]
fn a_retried_dead_letter_that_dies_again_is_the_same_one() {
    let mut desk = Desk::dead(POLICY, &[1]);
    desk.retry(1);
    desk.settle();
    let run = desk.start_one();
    desk.kill(&run);
    assert_eq!(desk.commit().dead[0].seq, 1);
    desk.settle();
    assert_eq!(desk.store.dead.len(), 1);
    assert!(desk.store.holds.is_empty());
}

#[test]
fn a_blocked_key_goes_on_when_its_dead_letter_is_retried() {
    let mut desk = Desk::dead(BLOCK, &[1, 1]);
    desk.retry(1);
    desk.settle();
    let run = desk.start_one();
    assert_eq!((run.seq, run.again, run.attempt), (1, true, 1));
    desk.ack(&run);
    desk.settle();
    assert!(desk.store.dead.is_empty());
    assert_eq!(desk.start_one().seq, 2);
}

#[test]
fn a_blocked_key_goes_on_when_its_dead_letter_is_discarded() {
    let mut desk = Desk::dead(BLOCK, &[1, 1]);
    desk.discard(1);
    desk.settle();
    assert!(desk.store.dead.is_empty());
    assert_eq!(desk.start_one().seq, 2);
}

#[test]
fn a_dead_letter_is_retried_once_its_key_has_no_other_to_try() {
    let mut desk = Desk::dead(POLICY, &[1, 1]);
    let run = desk.start_one();
    desk.fail(&run, 100);
    desk.settle();
    desk.retry(1);
    desk.settle();
    assert_eq!(desk.store.requests.len(), 1);
    desk.now = at(100);
    desk.settle();
    let run = desk.start_one();
    assert_eq!((run.seq, run.attempt), (2, 2));
    desk.ack(&run);
    desk.settle();
    assert!(desk.store.requests.is_empty());
    assert_eq!(desk.start_one().seq, 1);
}

#[test]
fn a_request_is_carried_out_once() {
    let mut desk = Desk::dead(POLICY, &[1]);
    desk.retry(1);
    let plan = desk.lane.poll_commit(desk.now, 1).expect("a commit");
    assert_eq!(plan.requests, [1]);
    desk.lane.requested(desk.store.requests.clone());
    assert_eq!(desk.store.commit(&plan), Ok(true));
    desk.lane.confirm();
    let run = desk.start_one();
    desk.ack(&run);
    desk.settle();
    assert!(desk.start().is_empty());
}

#[test]
fn a_seek_waits_for_what_runs_and_forgets_the_holds() {
    let mut desk = Desk::of(&[1, 2, 3]);
    desk.read();
    let runs = [desk.start_one(), desk.start_one()];
    desk.fail(&runs[0], 100);
    desk.settle();
    desk.ask(RequestKind::Seek { to: 2 });
    assert!(desk.try_commit().is_none());
    assert!(desk.start().is_empty());
    desk.ack(&runs[1]);
    let plan = desk.commit();
    assert!(plan.clear);
    assert_eq!(plan.checkpoint.position, 2);
    assert!(desk.store.holds.is_empty());
    desk.read();
    assert_eq!(seqs(&desk.start()), [3]);
}

#[test]
fn nothing_overtakes_a_seek() {
    let mut desk = Desk::dead(POLICY, &[1, 2]);
    let run = desk.start_one();
    desk.ask(RequestKind::Seek { to: 2 });
    desk.retry(1);
    assert!(desk.try_commit().is_none());
    desk.ack(&run);
    desk.settle();
    assert_eq!(desk.start_one().seq, 1);
}

#[test]
fn another_definition_decides_from_behind_the_cursor_and_the_recorded_end() {
    let mut desk = Desk::of(&[1, 1]);
    desk.read();
    desk.ask(RequestKind::Redefine { revision: 2, end: 1 });
    let first = Segment { from: 0, revision: 1 };
    assert_eq!(desk.commit().checkpoint.segments, [first, Segment { from: 3, revision: 2 }]);
    desk.ask(RequestKind::Redefine { revision: 3, end: 7 });
    assert_eq!(desk.commit().checkpoint.segments.last(), Some(&Segment { from: 8, revision: 3 }));
}

#[test]
fn another_definition_decides_from_behind_what_a_lost_holder_had_in_its_holds() {
    let mut desk = Desk::of(&[1, 2, 2]);
    desk.read();
    let runs = desk.start();
    desk.fail(&runs[1], 100);
    desk.settle();
    desk.lose();
    desk.ask(RequestKind::Redefine { revision: 2, end: 0 });
    assert_eq!(desk.commit().checkpoint.segments.last(), Some(&Segment { from: 3, revision: 2 }));
}

#[test]
fn a_revision_that_decides_about_nothing_to_come_is_forgotten() {
    let mut desk = Desk::of(&[1]);
    desk.ask(RequestKind::Redefine { revision: 2, end: 1 });
    desk.settle();
    assert_eq!(desk.store.checkpoint.segments.len(), 2);
    desk.read();
    let run = desk.start_one();
    desk.ack(&run);
    desk.settle();
    assert_eq!(desk.store.checkpoint.segments, [Segment { from: 2, revision: 2 }]);
}

#[test]
fn a_dead_letter_of_an_event_that_is_to_run_anyway_is_not_run_twice() {
    let mut desk = Desk::dead(POLICY, &[1]);
    desk.ask(RequestKind::Seek { to: 0 });
    desk.retry(1);
    desk.settle();
    desk.read();
    let run = desk.start_one();
    assert!(run.again);
    desk.ack(&run);
    desk.settle();
    assert!(desk.start().is_empty());
    assert!(desk.store.dead.is_empty() && !desk.store.holds.contains_key(&KeyId(1)));
}
