//! A search through every state that a small machine can get into, shortest ways first.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    fmt::Debug,
    hash::{BuildHasher, Hash},
};

use foldhash::quality::FixedState;

/// Something to be searched.
pub(super) trait Machine {
    type State: Clone + Hash;
    type Action: Debug;

    fn start(&self) -> Self::State;

    /// Everything that can happen next: what, and to which state it leads or which invariant it breaks.
    fn next(&self, state: &Self::State) -> Vec<(Self::Action, Result<Self::State, Violation>)>;

    /// True if everything that was to be done is done.
    fn is_end(&self, state: &Self::State) -> bool;

    /// True if it brings an end nearer and is no fault.
    fn is_calm(&self, action: &Self::Action) -> bool;
}

/// The name of a broken invariant.
pub(super) type Violation = &'static str;

/// What a search found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) states: usize,
    /// The first broken invariant, and the shortest way there.
    pub(super) broken: Option<(Violation, Vec<String>)>,
}

/// No end can be reached any more.
pub(super) const STUCK: Violation = "stuck: no end can be reached";
/// The search was cut off.
pub(super) const TOO_LARGE: Violation = "the search is too large";

/// Visits every state once, at most `most`; then looks backward from the ends for states that reach none.
pub(super) fn explore<M: Machine>(machine: &M, most: usize) -> Found {
    let hasher = FixedState::with_seed(7);
    let start = machine.start();
    let mut known = HashMap::from([(hasher.hash_one(&start), 0_u32)]);
    let mut ways = vec![(0_u32, 0_u16)];
    let mut links: Vec<(u32, u32)> = Vec::new();
    let mut ends = Vec::new();
    let mut queue = VecDeque::from([(0_u32, start)]);
    while let Some((from, state)) = queue.pop_front() {
        if machine.is_end(&state) {
            ends.push(from);
        }
        for (step, (action, next)) in (0..).zip(machine.next(&state)) {
            let next = match next {
                Ok(next) => next,
                Err(violation) => {
                    let mut way = way_to(machine, &ways, from);
                    way.push(format!("{action:?}"));
                    return Found { states: ways.len(), broken: Some((violation, way)) };
                }
            };
            let to = match known.entry(hasher.hash_one(&next)) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(slot) => {
                    let to = ways.len() as u32;
                    slot.insert(to);
                    ways.push((from, step));
                    queue.push_back((to, next));
                    to
                }
            };
            if to != from {
                links.push((to, from));
            }
        }
        if ways.len() > most {
            return Found { states: ways.len(), broken: Some((TOO_LARGE, Vec::new())) };
        }
    }
    let stuck = first_without_end(ways.len(), links, ends);
    let broken = stuck.map(|state| (STUCK, way_to(machine, &ways, state)));
    Found { states: ways.len(), broken }
}

/// Goes at random through worlds that are too large to be searched: each walk so many steps with faults and then
/// calmly on to an end.
pub(super) fn wander<M: Machine>(
    machine: &M,
    seed: u64,
    walks: usize,
    steps: usize,
) -> Option<(Violation, Vec<String>)> {
    let mut random = seed;
    for _ in 0..walks {
        let mut state = machine.start();
        let mut way = Vec::new();
        for step in 0.. {
            if step > steps && machine.is_end(&state) {
                break;
            }
            if step > steps * 20 {
                return Some((STUCK, way));
            }
            let mut next = machine.next(&state);
            if let Some((action, Err(violation))) = next.iter().find(|(_, next)| next.is_err()) {
                way.push(format!("{action:?}"));
                return Some((violation, way));
            }
            next.retain(|(action, _)| step <= steps || machine.is_calm(action));
            if next.is_empty() && step > steps {
                return Some((STUCK, way));
            }
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let Some(choice) = (random >> 33).checked_rem(next.len() as u64) else { continue };
            let (action, chosen) = next.swap_remove(choice as usize);
            way.push(format!("{action:?}"));
            if let Ok(chosen) = chosen {
                state = chosen;
            }
        }
    }
    None
}

/// The first state from which no end can be reached.
fn first_without_end(states: usize, mut links: Vec<(u32, u32)>, ends: Vec<u32>) -> Option<u32> {
    links.sort_unstable();
    let mut reaches = vec![false; states];
    let mut queue = ends;
    queue.iter().for_each(|end| reaches[*end as usize] = true);
    while let Some(to) = queue.pop() {
        let first = links.partition_point(|(target, _)| *target < to);
        for (_, from) in links[first..].iter().take_while(|(target, _)| *target == to) {
            if !std::mem::replace(&mut reaches[*from as usize], true) {
                queue.push(*from);
            }
        }
    }
    reaches.iter().position(|reaches| !reaches).map(|state| state as u32)
}

/// Goes the way again, to tell its actions.
fn way_to<M: Machine>(machine: &M, ways: &[(u32, u16)], mut to: u32) -> Vec<String> {
    let mut steps = Vec::new();
    while to != 0 {
        let (from, step) = ways[to as usize];
        steps.push(step);
        to = from;
    }
    let mut state = machine.start();
    let mut way = Vec::new();
    for step in steps.into_iter().rev() {
        let (action, next) = machine.next(&state).swap_remove(usize::from(step));
        way.push(format!("{action:?}"));
        if let Ok(next) = next {
            state = next;
        }
    }
    way
}
