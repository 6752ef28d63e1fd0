//! Two lanes in one process, which has one permit for alone runs.

use super::{
    case::{Case, Event, good, killer},
    explore::{Machine, Violation, explore},
    searches::{NONE, with},
    world::{Action, World, now},
};

struct Process {
    lanes: [Case; 2],
    permits: usize,
}

#[derive(Clone, Hash)]
struct State {
    worlds: [World; 2],
    /// Which lanes have a permit.
    permitted: [bool; 2],
}

#[derive(Debug)]
enum Step {
    Of(#[expect(dead_code, reason = "shown")] usize, #[expect(dead_code, reason = "shown")] Action),
    Permit(#[expect(dead_code, reason = "shown")] usize),
}

impl Process {
    fn of(lanes: [&[Event]; 2]) -> Self {
        Self { lanes: lanes.map(|events| Case { beside_others: true, ..with(NONE, events) }), permits: 1 }
    }

    fn act(&self, mut state: State, lane: usize, action: Action) -> Option<Result<State, Violation>> {
        match state.worlds[lane].act(&self.lanes[lane], action) {
            Err(violation) => return Some(Err(violation)),
            Ok(false) => return None,
            Ok(true) => {}
        }
        if let Action::Kill(..) = action {
            let other = 1 - lane;
            state.worlds[other].die(&self.lanes[other], 0);
            state.permitted = [false; 2];
        } else if state.worlds[lane].members[0].lane.as_mut().is_none_or(|lane| lane.returns_permit(now())) {
            state.permitted[lane] = false;
        }
        state.worlds.iter_mut().for_each(World::canonical);
        Some(Ok(state))
    }
}

impl Machine for Process {
    type State = State;
    type Action = Step;

    fn start(&self) -> State {
        State { worlds: [self.lanes[0].start(), self.lanes[1].start()], permitted: [false; 2] }
    }

    fn next(&self, state: &State) -> Vec<(Step, Result<State, Violation>)> {
        let mut next = Vec::new();
        for lane in 0..2 {
            for action in state.worlds[lane].actions(&self.lanes[lane]) {
                next.extend(self.act(state.clone(), lane, action).map(|after| (Step::Of(lane, action), after)));
            }
            let wants = state.worlds[lane].members[0].lane.as_ref().is_some_and(|lane| lane.wants_permit(now()));
            if wants && state.permitted.iter().filter(|permitted| **permitted).count() < self.permits {
                let mut after = state.clone();
                after.worlds[lane].lane(0).grant();
                after.permitted[lane] = true;
                next.push((Step::Permit(lane), Ok(after)));
            }
        }
        next
    }

    fn is_calm(&self, _: &Step) -> bool {
        true
    }

    fn is_end(&self, state: &State) -> bool {
        state.worlds.iter().zip(&self.lanes).all(|(world, case)| case.is_end(world))
    }
}

#[test]
fn one_permit_in_a_process_keeps_the_innocent_of_other_lanes_from_being_charged() {
    for lanes in [[&[killer(1)][..], &[good(1)]], [&[good(1), killer(1)], &[good(1)]]] {
        assert_eq!(explore(&Process::of(lanes), 2_000_000).broken, None);
    }
}

#[test]
fn two_permits_charge_the_innocent_of_other_lanes() {
    let found = explore(&Process { permits: 2, ..Process::of([&[killer(1)], &[good(1)]]) }, 2_000_000);
    assert_eq!(found.broken.map(|(violation, _)| violation), Some("an innocent is charged with a loss"));
}
