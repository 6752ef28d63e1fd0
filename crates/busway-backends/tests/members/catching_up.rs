//! What a killed process with full windows costs.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use busway_core::{Key, lane_of};
use busway_engine::Config;

use super::{
    Place,
    conduct::{Act, Conduct, event_type, run, tenant},
    diary::Line,
    stage::{Stage, open_runs},
};

const HANDLER: Duration = Duration::from_millis(200);
const CONCURRENCY: u32 = 64;
const LANES: u16 = 8;
const KEYS_OF_A_LANE: usize = 32;
/// What the process handles before it is killed; in each lane more than that is published beyond its window.
const BEFORE: usize = 64;
const BEYOND: usize = 256;
/// How long catching up may take: the figure that is promised.
const MINUTE: Duration = Duration::from_secs(60);

pub(crate) const UNHURRIED: &Conduct = &Conduct {
    name: "unhurried",
    config: Config::default,
    definition: || run(5, CONCURRENCY),
    act: |_, _| Act::DoneAfter(HANDLER),
};

/// As many keys in each lane.
fn keys() -> Vec<String> {
    let mut lanes = vec![Vec::new(); usize::from(LANES)];
    for n in 0.. {
        let key = Key::new(format!("k{n}")).unwrap();
        let lane = &mut lanes[usize::from(lane_of(&tenant(), Some(&key), &event_type(), LANES).0)];
        if lane.len() < KEYS_OF_A_LANE {
            lane.push(key.to_string());
        }
        if lanes.iter().all(|lane| lane.len() == KEYS_OF_A_LANE) {
            break;
        }
    }
    lanes.concat()
}

/// The fewest events of any lane that are not handled yet.
fn least_left(stage: &Stage, keys: &[String], many: usize) -> usize {
    let lines = stage.diary.lines();
    let open: BTreeSet<u64> = open_runs(&lines).into_values().collect();
    let handled = lines.iter().filter_map(|line| match line {
        Line::Started { event, .. } if !open.contains(event) => Some(*event as usize),
        _ => None,
    });
    let handled: BTreeSet<usize> = handled.collect();
    // Keys are listed lane by lane.
    let lane_of = |n: usize| n % keys.len() / KEYS_OF_A_LANE;
    let mut left = [0; LANES as usize];
    (0..many).filter(|n| !handled.contains(n)).for_each(|n| left[lane_of(n)] += 1);
    left.into_iter().min().unwrap_or(0)
}

pub(crate) async fn a_killed_process_with_full_windows_is_caught_up_within_a_minute(place: &impl Place) {
    let mut stage = Stage::on(place).await;
    assert_eq!(stage.stores.log.lanes(), LANES, "lanes of the log");
    let keys = keys();
    let many = usize::from(LANES) * (Config::default().window + BEYOND);
    stage.publish((0..many).map(|n| (n as u64, keys[n % keys.len()].clone()))).await;
    let mut first = stage.start(UNHURRIED.name);
    let done = |stage: &Stage| stage.diary.lines().iter().filter(|line| matches!(line, Line::Done { .. })).count();
    stage.until("the first has begun", async || done(&stage) >= BEFORE).await;
    stage.kill(&mut first);
    let killed = Instant::now();
    let least = least_left(&stage, &keys, many);
    assert!(least >= Config::default().window, "a lane has but {least} left, its window was not full");
    let second = stage.start(UNHURRIED.name);
    let is_second = |line: &Line| matches!(line, Line::Started { process, .. } if *process == second.index);
    stage.until("the second has taken over", async || stage.diary.lines().iter().any(is_second)).await;
    let taken = Instant::now();
    stage.settled().await;
    let (caught_up, in_all) = (taken.elapsed(), killed.elapsed());
    second.leave();
    println!(
        "{many} events of {HANDLER:?}, concurrency {CONCURRENCY}: taken over after {:.1} s, caught up {:.1} s later",
        (in_all - caught_up).as_secs_f64(),
        caught_up.as_secs_f64()
    );
    stage.judged("a process with full windows is killed", 5).await;
    assert!(caught_up <= MINUTE, "caught up {caught_up:?} after the takeover");
}
