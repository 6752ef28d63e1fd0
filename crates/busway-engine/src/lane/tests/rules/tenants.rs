use busway_core::TurnId;

use super::{super::super::stream::ALONE, Desk, LIMITS, Run, at, seqs};

impl Desk {
    /// Keyless events of these tenants.
    fn of_tenants(tenants: &[u64]) -> Self {
        let mut desk = Self::of(&vec![0; tenants.len()]);
        desk.log = tenants.iter().map(|tenant| (0, *tenant)).collect();
        desk
    }

    /// One tenant has filled the window for long enough.
    fn crowded() -> Self {
        let mut desk = Self::of_tenants(&[[1; 12].as_slice(), &[2]].concat());
        desk.read();
        desk.lane.tick(desk.now);
        desk.now = at(LIMITS.crowd_ms);
        desk.lane.tick(desk.now);
        desk
    }

    fn start_at_most(&mut self, most: usize) -> Vec<Run<()>> {
        std::iter::from_fn(|| self.lane.next_run(self.now)).take(most).collect()
    }
}

#[test]
fn tenants_take_turns() {
    let mut desk = Desk::of_tenants(&[1, 1, 1, 2, 2, 3]);
    desk.read();
    assert_eq!(seqs(&desk.start()), [1, 4, 6, 2, 5, 3]);
}

#[test]
fn a_tenant_that_fills_the_window_for_a_while_is_held_and_others_pass_it() {
    let mut desk = Desk::crowded();
    assert_eq!(desk.lane.held_turns().collect::<Vec<_>>(), [TurnId(1)]);
    let plan = desk.commit();
    assert_eq!((plan.checkpoint.position, plan.turns.as_slice()), (8, [(TurnId(1), 0, 0)].as_slice()));
    desk.read();
    assert_eq!(seqs(&desk.start_at_most(2)), [1, 13]);
}

#[test]
fn a_tenant_that_fills_the_window_for_a_moment_is_not_held() {
    let mut desk = Desk::of_tenants(&[1; 12]);
    desk.read();
    desk.lane.tick(desk.now);
    assert_eq!(desk.lane.deadline(desk.now), Some(at(LIMITS.crowd_ms)));
    for run in desk.start() {
        desk.ack(&run);
    }
    desk.settle();
    desk.read();
    desk.now = at(LIMITS.crowd_ms);
    desk.lane.tick(desk.now);
    assert_eq!(desk.lane.held_turns().count(), 0);
}

#[test]
fn a_held_tenant_is_read_on_its_own_and_free_once_it_has_caught_up() {
    let mut desk = Desk::crowded();
    let mut handled = Vec::new();
    loop {
        desk.settle();
        desk.read();
        desk.settle();
        let runs = desk.start();
        if runs.is_empty() {
            break;
        }
        for run in runs {
            desk.ack(&run);
            handled.push(run.seq);
        }
    }
    handled.sort_unstable();
    assert_eq!(handled, (1..=13).collect::<Vec<_>>());
    assert_eq!((desk.position(), desk.store.turns.len(), desk.lane.held_turns().count()), (13, 0, 0));
}

#[test]
fn a_held_tenant_goes_on_with_another_holder_from_where_it_stands() {
    let mut desk = Desk::crowded();
    let run = desk.start_one();
    desk.ack(&run);
    desk.settle();
    desk.lose();
    assert_eq!(desk.lane.held_turns().collect::<Vec<_>>(), [TurnId(1)]);
    desk.read();
    let mut started = seqs(&desk.start());
    started.sort_unstable();
    assert_eq!(started, [2, 3, 4, 5, 13]);
}

#[test]
fn what_is_still_to_be_read_of_a_held_tenants_lost_window_keeps_nothing_waiting() {
    let mut desk = Desk::crowded();
    desk.commit();
    // Room for one event: the lane's own is read first.
    desk.limits.window_bytes = 10;
    desk.lose();
    desk.lose();
    assert_eq!(desk.store.turns[&TurnId(1)], (0, ALONE));
    desk.read();
    desk.commit();
    let alone = desk.start_one();
    assert_eq!((alone.seq, alone.alone), (13, true));
    desk.ack(&alone);
    desk.settle();
    desk.log.push((0, 2));
    desk.read();
    assert_eq!(seqs(&desk.start()), [14]);
}
