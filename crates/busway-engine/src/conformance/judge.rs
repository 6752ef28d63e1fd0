use std::collections::{BTreeMap, BTreeSet};

use super::{Ended, History, Lettered, Record};

/// What a subscription promises, as far as the judge needs it.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// Its name.
    pub subscription: String,
    /// Runs in all.
    pub attempts: u32,
    /// Most events in a lane's window.
    pub window: usize,
    /// Lanes of the log.
    pub lanes: usize,
    /// Holds of a lane that may run at once.
    pub running_holds: usize,
    /// Events of a key come one at a time.
    pub ordered: bool,
}

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// Acknowledged to its publisher, and neither handled nor a dead letter.
    Lost(String, u64),
    /// Handled for the first time before an earlier one of its key was done with: (subscription, later, earlier).
    OutOfOrder(String, u64, u64),
    /// Two of a key at once, although no process was lost or stood still.
    Overlap(String, u64, u64),
    /// Handled again without need.
    Repeated(String, usize, usize),
    /// More runs than its attempts and the losses allow: (subscription, event, runs, most).
    TooManyRuns(String, u64, usize, usize),
    /// Dead for the loss of processes that another event killed.
    InnocentDead(String, u64),
    /// A killer was not dead after its attempts and two losses more: (subscription, event, processes killed).
    KillerAlive(String, u64, usize),
    /// It did not come to an end.
    Stuck(String),
}

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Events whose publishers were told that they are stored.
    pub acknowledged: usize,
    /// Runs acknowledged.
    pub delivered: usize,
    /// Of these, repeats.
    pub repeated: usize,
    /// Pairs of runs of one key that overlapped, those that a loss excuses included.
    pub overlaps: usize,
    /// Dead letters at the end.
    pub dead: usize,
    /// Processes lost.
    pub losses: usize,
}

#[derive(Debug)]
struct Run {
    event: u64,
    key: Option<String>,
    process: usize,
    started: u64,
    ended: Option<(u64, Ended)>,
}

/// Judges what happened by what was promised. `places` tells where in the log each event stands, in an order
/// that is that of its key; `killers` are the events whose handlers kill their process.
pub fn judge(
    history: &History,
    bounds: &[Bounds],
    places: &BTreeMap<u64, u64>,
    letters: &[Lettered],
    killers: &BTreeSet<u64>,
) -> (Summary, Vec<Violation>) {
    let mut summary = Summary { dead: letters.len(), ..Summary::default() };
    let mut violations = Vec::new();
    let records = history.records();
    let published: Vec<u64> = records
        .iter()
        .filter_map(|(_, record)| match record {
            Record::Acknowledged { event, .. } => Some(*event),
            _ => None,
        })
        .collect();
    summary.acknowledged = published.len();
    let losses: Vec<(u64, usize, Option<u64>, bool)> = records
        .iter()
        .filter_map(|(stamp, record)| match record {
            Record::Killed { process, by } => Some((stamp.n, *process, *by, true)),
            Record::Suspended { process } => Some((stamp.n, *process, None, false)),
            _ => None,
        })
        .collect();
    summary.losses = losses.len();
    let all = bounds;
    for bounds in bounds {
        let runs = runs_of(&records, &bounds.subscription);
        let letters: BTreeMap<u64, &Lettered> = letters
            .iter()
            .filter(|letter| letter.subscription == bounds.subscription)
            .map(|letter| (letter.event, letter))
            .collect();
        let retried = asked(&records, &bounds.subscription, true);
        let discarded = asked(&records, &bounds.subscription, false);
        let mut acks: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for run in &runs {
            if let Some((at, Ended::Ack)) = run.ended {
                acks.entry(run.event).or_default().push(at);
            }
        }
        summary.delivered += acks.values().map(Vec::len).sum::<usize>();
        let repeated: usize = acks.values().map(|acks| acks.len() - 1).sum();
        summary.repeated += repeated;

        for event in &published {
            let done = acks.contains_key(event) || letters.contains_key(event) || discarded.contains_key(event);
            if !done {
                violations.push(Violation::Lost(bounds.subscription.clone(), *event));
            }
        }
        // A hand-over keeps what is settled behind an event that has not started no better than a loss does.
        let left = records.iter().filter(|(_, record)| matches!(record, Record::Left { .. })).count();
        let most = (losses.len() + left) * bounds.lanes * (bounds.window + bounds.running_holds);
        if repeated > most {
            violations.push(Violation::Repeated(bounds.subscription.clone(), repeated, most));
        }
        if bounds.ordered {
            let lettered = |event: u64| {
                letters.contains_key(&event) || retried.contains_key(&event) || discarded.contains_key(&event)
            };
            let failed_before = |event: u64, at: u64| {
                let mut runs = runs.iter().filter(|run| run.event == event);
                runs.any(|run| run.ended.is_some_and(|(ended, how)| ended < at && how != Ended::Ack))
            };
            // It was named to run alone, and its process was lost before it began: whoever had it retried saw its dead letter.
            let lost_before = |event: u64, at: u64| {
                let began = runs.iter().filter(|run| run.event == event).map(|run| run.started).min();
                let asked = retried.get(&event).and_then(|asked| asked.first());
                losses.iter().any(|(lost, ..)| *lost < at)
                    && asked.zip(began).is_some_and(|(asked, began)| *asked < began)
            };
            let died = |event: u64, at: u64| lettered(event) && (failed_before(event, at) || lost_before(event, at));
            order(bounds, &runs, places, &acks, died, &mut violations);
            summary.overlaps += overlap(bounds, &runs, &losses, &mut violations);
        }
        count(bounds, &runs, losses.len() + left, &retried, &mut violations);
        // Who is alone when its process is lost by chance is charged; so is, before a killer is alone, who is
        // alone in a lane beside it.
        let chance = losses.iter().filter(|(_, _, by, _)| by.is_none()).count();
        let innocent = || letters.values().filter(|letter| letter.lost && !killers.contains(&letter.event));
        if innocent().count() > chance + 2 * killers.len() * all.len() {
            violations
                .extend(innocent().map(|letter| Violation::InnocentDead(bounds.subscription.clone(), letter.event)));
        }
    }
    let attempts: usize = bounds.iter().map(|bounds| bounds.attempts as usize + 2).sum();
    for killer in killers {
        let killed =
            losses.iter().filter(|(at, _, by, _)| *by == Some(*killer) && !in_replay(&records, *killer, *at)).count();
        let asked: usize = bounds
            .iter()
            .map(|bounds| {
                asked(&records, &bounds.subscription, true).get(killer).map_or(0, Vec::len)
                    * (bounds.attempts as usize + 2)
            })
            .sum();
        let unlucky = losses.iter().filter(|(_, _, by, _)| *by != Some(*killer)).count();
        if killed > attempts + asked + unlucky {
            violations.push(Violation::KillerAlive("all".into(), *killer, killed));
        }
    }
    (summary, violations)
}

/// True if the run by which an event killed a process was a replay's.
fn in_replay(records: &[(super::Stamp, Record)], killer: u64, at: u64) -> bool {
    let run = records.iter().rev().find_map(|(stamp, record)| match record {
        Record::Started { event, replay, .. } if stamp.n < at && *event == killer => Some(*replay),
        _ => None,
    });
    run == Some(true)
}

fn runs_of(records: &[(super::Stamp, Record)], name: &str) -> Vec<Run> {
    let mut runs: BTreeMap<u64, Run> = BTreeMap::new();
    for (stamp, record) in records {
        match record {
            Record::Started { process, subscription, event, key, replay: false, run, .. } if subscription == name => {
                let started = Run { event: *event, key: key.clone(), process: *process, started: stamp.n, ended: None };
                runs.insert(*run, started);
            }
            Record::Finished { run, ended } => {
                if let Some(run) = runs.get_mut(run) {
                    run.ended = Some((stamp.n, *ended));
                }
            }
            Record::Killed { process, .. } => {
                for run in runs.values_mut().filter(|run| run.process == *process && run.ended.is_none()) {
                    run.ended = Some((stamp.n, Ended::Dropped));
                }
            }
            _ => {}
        }
    }
    runs.into_values().collect()
}

/// When each event's dead letter was asked to be run again, or discarded.
fn asked(records: &[(super::Stamp, Record)], name: &str, retry: bool) -> BTreeMap<u64, Vec<u64>> {
    let mut asked: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for (stamp, record) in records {
        match record {
            Record::RetryAsked { subscription, event } if retry && subscription == name => {
                asked.entry(*event).or_default().push(stamp.n)
            }
            Record::Discarded { subscription, event } if !retry && subscription == name => {
                asked.entry(*event).or_default().push(stamp.n)
            }
            _ => {}
        }
    }
    asked
}

/// The first acknowledgement of an event comes after all earlier ones of its key are acknowledged or may have died.
fn order(
    bounds: &Bounds,
    runs: &[Run],
    places: &BTreeMap<u64, u64>,
    acks: &BTreeMap<u64, Vec<u64>>,
    died: impl Fn(u64, u64) -> bool,
    violations: &mut Vec<Violation>,
) {
    let mut keys: BTreeMap<&str, BTreeMap<u64, u64>> = BTreeMap::new();
    for run in runs {
        if let (Some(key), Some(place)) = (&run.key, places.get(&run.event)) {
            keys.entry(key).or_default().insert(*place, run.event);
        }
    }
    for events in keys.values() {
        let first_ack = |event: &u64| acks.get(event).and_then(|acks| acks.iter().min()).copied();
        let mut earlier: Vec<u64> = Vec::new();
        // When the last of the earlier ones was first acknowledged; never, if one of them was not.
        let mut all_acked = 0;
        for event in events.values() {
            let acked = first_ack(event);
            if let Some(first) = acked.filter(|first| *first < all_acked) {
                for before in &earlier {
                    let settled = first_ack(before).is_some_and(|acked| acked < first);
                    if !settled && !died(*before, first) {
                        violations.push(Violation::OutOfOrder(bounds.subscription.clone(), *event, *before));
                    }
                }
            }
            all_acked = all_acked.max(acked.unwrap_or(u64::MAX));
            earlier.push(*event);
        }
    }
}

/// Two runs of a key overlap only if the process of one of them had been lost or had stood still by then. Returns
/// how many pairs overlap.
fn overlap(
    bounds: &Bounds,
    runs: &[Run],
    losses: &[(u64, usize, Option<u64>, bool)],
    violations: &mut Vec<Violation>,
) -> usize {
    let mut overlaps = 0;
    let mut keys: BTreeMap<&str, Vec<&Run>> = BTreeMap::new();
    for run in runs {
        if let Some(key) = &run.key {
            keys.entry(key).or_default().push(run);
        }
    }
    for runs in keys.values_mut() {
        runs.sort_by_key(|run| run.started);
        for (index, run) in runs.iter().enumerate() {
            let end = run.ended.map_or(u64::MAX, |(at, _)| at);
            for later in runs[index + 1..].iter().take_while(|later| later.started < end) {
                overlaps += 1;
                let lost =
                    |of: &Run| losses.iter().any(|(at, process, ..)| *process == of.process && *at < later.started);
                let excused = lost(run) || lost(later);
                if !excused {
                    violations.push(Violation::Overlap(bounds.subscription.clone(), run.event, later.event));
                }
            }
        }
    }
    overlaps
}

/// An event runs no more often than it has attempts, but for lost processes and those that handed it back. How
/// often one runs that an operator had run again is not counted: a request whose answer is lost may be made twice.
fn count(
    bounds: &Bounds,
    runs: &[Run],
    losses: usize,
    retried: &BTreeMap<u64, Vec<u64>>,
    violations: &mut Vec<Violation>,
) {
    let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
    for run in runs.iter().filter(|run| !retried.contains_key(&run.event)) {
        *counts.entry(run.event).or_default() += 1;
    }
    let most = bounds.attempts as usize + losses;
    for (event, runs) in counts.into_iter().filter(|(_, runs)| *runs > most) {
        violations.push(Violation::TooManyRuns(bounds.subscription.clone(), event, runs, most));
    }
}
