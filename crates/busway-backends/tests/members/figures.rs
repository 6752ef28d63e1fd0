//! What a test came to, counted from the diary, the log and the dead letters.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
    time::Duration,
};

use busway_core::{DeadCause, DeadLetter, Entry, LaneId};
use busway_engine::{
    Config,
    conformance::{Bounds, Ended, History, Lettered, Record, Summary, Violation, judge},
};

use super::{conduct::number, diary::Line, leases::Suspended, stage::open_runs};

/// Holds of a lane that may run at once.
const RUNNING_HOLDS: usize = 256;

/// What there is to judge by.
pub(crate) struct Happened {
    pub(crate) lines: Vec<Line>,
    pub(crate) entries: Vec<Arc<Entry>>,
    pub(crate) letters: Vec<DeadLetter>,
    pub(crate) suspended: Vec<Suspended>,
    /// Runs that each event had.
    pub(crate) attempts: u32,
}

/// Where an event stands.
struct Stored {
    lane: LaneId,
    seq: u64,
    key: Option<String>,
}

/// What a test came to.
#[derive(Debug)]
pub(crate) struct Figures {
    published: usize,
    summary: Summary,
    /// Runs that the loss of their processes cut off.
    cut_off: usize,
    /// Events, acknowledged or only stored, that are neither handled nor a dead letter.
    lost: BTreeSet<u64>,
    out_of_order: usize,
    /// Most repeats that the loss of one process cost in one lane, and in all.
    most_repeated: (usize, usize),
    /// Repeats of what no lost process had acknowledged.
    unexplained: usize,
    /// Processes killed or frozen.
    stricken: usize,
    /// Processes that lost a lease and were neither killed nor frozen.
    stalled: usize,
    violations: Vec<Violation>,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary { acknowledged, delivered, repeated, overlaps, dead, .. } = &self.summary;
        let (in_a_lane, in_all) = self.most_repeated;
        let unexcused = self.violations.iter().filter(|broken| matches!(broken, Violation::Overlap(..))).count();
        write!(
            f,
            "published {}, acknowledged {acknowledged}, delivered {delivered}, lost {}, duplicated {repeated} (by one loss at \
             most {in_all}, in one lane {in_a_lane}), out of order {}, overlaps {overlaps} ({unexcused} without a lost \
             lease), dead {dead}, processes killed or frozen {}, runs cut off {}, processes stalled for a lease {}",
            self.published,
            self.lost.len(),
            self.out_of_order,
            self.stricken,
            self.cut_off,
            self.stalled,
        )
    }
}

impl Figures {
    pub(crate) fn of(happened: &Happened) -> Self {
        let stored = happened.stored();
        let bounds = Bounds {
            subscription: SUBSCRIPTION.into(),
            attempts: happened.attempts,
            window: Config::default().window,
            lanes: stored.values().map(|stored| stored.lane).collect::<BTreeSet<_>>().len(),
            running_holds: RUNNING_HOLDS,
            ordered: true,
        };
        let places = stored.iter().map(|(event, stored)| (*event, stored.seq)).collect();
        let letters = happened.lettered();
        let killers = happened.lines.iter().filter_map(|line| match line {
            Line::KilledBy { event, .. } => Some(*event),
            _ => None,
        });
        let history = happened.history(&stored);
        let (summary, violations) = judge(&history, &[bounds], &places, &letters, &killers.collect());

        let acks = happened.acks();
        let settled: BTreeSet<u64> =
            acks.iter().map(|(_, event)| *event).chain(letters.iter().map(|letter| letter.event)).collect();
        let unsettled = stored.keys().filter(|event| !settled.contains(event)).copied();
        let lost = violations.iter().filter_map(|broken| match broken {
            Violation::Lost(_, event) => Some(*event),
            _ => None,
        });
        let lost = unsettled.chain(lost).collect();
        let stricken = happened.stricken();
        let (most_repeated, unexplained) = happened.repeats(&stored, &acks);
        Self {
            published: happened.lines.iter().filter(|line| matches!(line, Line::Published { .. })).count(),
            out_of_order: violations.iter().filter(|broken| matches!(broken, Violation::OutOfOrder(..))).count(),
            lost,
            summary,
            most_repeated,
            unexplained,
            cut_off: open_runs(&happened.lines).len(),
            stricken: stricken.len(),
            stalled: happened.stalled().difference(&stricken).count(),
            violations,
        }
    }

    /// Promises that were broken, the first few of each kind.
    pub(crate) fn broken(&self) -> Vec<String> {
        let mut broken: Vec<String> =
            self.violations.iter().take(5).map(|violation| format!("{violation:?}")).collect();
        if !self.lost.is_empty() {
            broken.push(format!("lost {:?}", self.lost.iter().take(5).collect::<Vec<_>>()));
        }
        if self.unexplained > 0 {
            broken.push(format!("{} repeats of what no lost process had acknowledged", self.unexplained));
        }
        if self.most_repeated.0 > Config::default().window + RUNNING_HOLDS {
            broken.push(format!("one loss cost {} repeats in one lane", self.most_repeated.0));
        }
        broken
    }

    /// Dead letters.
    pub(crate) fn dead(&self) -> usize {
        self.summary.dead
    }
}

const SUBSCRIPTION: &str = "s";

impl Happened {
    fn stored(&self) -> BTreeMap<u64, Stored> {
        let stored = self.entries.iter().filter_map(|entry| {
            let event = entry.event()?;
            let key = event.key.as_ref().map(ToString::to_string);
            Some((number(event), Stored { lane: entry.lane, seq: entry.seq, key }))
        });
        stored.collect()
    }

    fn lettered(&self) -> Vec<Lettered> {
        let lettered = |letter: &DeadLetter| Lettered {
            subscription: SUBSCRIPTION.into(),
            event: letter.entry.event().map_or(u64::MAX, |event| number(event)),
            attempts: letter.attempts,
            lost: letter.cause == DeadCause::Lost,
        };
        self.letters.iter().map(lettered).collect()
    }

    /// The diary as the judge reads it.
    fn history(&self, stored: &BTreeMap<u64, Stored>) -> History {
        let history = History::default();
        let note = |record| history.note(Duration::ZERO, record);
        let key_of = |event: u64| stored.get(&event).and_then(|stored| stored.key.clone());
        let run_of = |process: u64, run: u64| process << 32 | run;
        let mut open: BTreeSet<(u64, u64)> = BTreeSet::new();
        let mut suspended = self.suspended.clone();
        suspended.sort_by_key(|suspended| suspended.after);
        let mut suspended = suspended.into_iter().peekable();
        for (index, line) in (0..).zip(&self.lines) {
            while let Some(suspended) = suspended.next_if(|suspended| suspended.after <= index) {
                note(Record::Suspended { process: suspended.process as usize });
            }
            match *line {
                Line::Started { process, run, .. } => drop(open.insert((process, run))),
                Line::Done { process, run } | Line::Failed { process, run } | Line::Refused { process, run } => {
                    open.remove(&(process, run));
                }
                _ => {}
            }
            note(match *line {
                Line::Published { .. } => continue,
                // What it began after the line that says so ended with it, too.
                Line::Gone { process } => {
                    let ended = open.extract_if((process, 0)..(process + 1, 0), |_| true);
                    ended.for_each(|(process, run)| {
                        note(Record::Finished { run: run_of(process, run), ended: Ended::Dropped });
                    });
                    continue;
                }
                Line::Acknowledged { event, .. } => Record::Acknowledged { event, key: key_of(event) },
                Line::Started { process, run, event, attempt, .. } => Record::Started {
                    process: process as usize,
                    subscription: SUBSCRIPTION.into(),
                    event,
                    key: key_of(event),
                    attempt: attempt as u32,
                    replay: false,
                    run: run_of(process, run),
                },
                Line::Done { process, run } => Record::Finished { run: run_of(process, run), ended: Ended::Ack },
                Line::Failed { process, run } => Record::Finished { run: run_of(process, run), ended: Ended::Retry },
                Line::Refused { process, run } => Record::Finished { run: run_of(process, run), ended: Ended::Dead },
                Line::Killed { process } => Record::Killed { process: process as usize, by: None },
                Line::KilledBy { process, event } => Record::Killed { process: process as usize, by: Some(event) },
                Line::Frozen { process } => Record::Suspended { process: process as usize },
            });
        }
        history
    }

    /// Processes killed or frozen.
    fn stricken(&self) -> BTreeSet<u64> {
        let stricken = self.lines.iter().filter_map(|line| match *line {
            Line::Killed { process } | Line::KilledBy { process, .. } | Line::Frozen { process } => Some(process),
            _ => None,
        });
        stricken.collect()
    }

    /// Processes whose counters stood still for a lease, for whatever reason.
    fn stalled(&self) -> BTreeSet<u64> {
        self.suspended.iter().map(|suspended| suspended.process).collect()
    }

    /// What was acknowledged, in order: by which process, which event.
    fn acks(&self) -> Vec<(u64, u64)> {
        let mut runs = BTreeMap::new();
        let mut acks = Vec::new();
        for line in &self.lines {
            match *line {
                Line::Started { process, run, event, .. } => {
                    runs.insert((process, run), event);
                }
                Line::Done { process, run } => acks.extend(runs.get(&(process, run)).map(|event| (process, *event))),
                _ => {}
            }
        }
        acks
    }

    /// The most repeats that the loss of one process cost (in one lane, in all), and the repeats of what no lost
    /// process had acknowledged.
    fn repeats(&self, stored: &BTreeMap<u64, Stored>, acks: &[(u64, u64)]) -> ((usize, usize), usize) {
        let lost: BTreeSet<u64> = self.stricken().union(&self.stalled()).copied().collect();
        let mut unexplained = 0;
        let mut by_lane: BTreeMap<(u64, Option<LaneId>), usize> = BTreeMap::new();
        let mut by_loss: BTreeMap<u64, usize> = BTreeMap::new();
        let mut last: BTreeMap<u64, u64> = BTreeMap::new();
        for (process, event) in acks {
            let Some(before) = last.insert(*event, *process) else { continue };
            match [before, *process].into_iter().find(|process| lost.contains(process)) {
                Some(loser) => {
                    *by_lane.entry((loser, stored.get(event).map(|stored| stored.lane))).or_default() += 1;
                    *by_loss.entry(loser).or_default() += 1;
                }
                None => unexplained += 1,
            }
        }
        let most = |counts: Vec<usize>| counts.into_iter().max().unwrap_or(0);
        ((most(by_lane.into_values().collect()), most(by_loss.into_values().collect())), unexplained)
    }
}
