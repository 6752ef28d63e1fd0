//! A process that is killed with a thousand runs under way.

use std::time::Instant;

use super::{
    Place,
    conduct::{Act, Conduct, quick, run},
    stage::{Stage, open_runs},
};

/// Runs that hang.
const IN_FLIGHT: u64 = 1_000;
/// Keys; each has two events, and those of the keys that hang wait behind.
const KEYS: u64 = 1_500;
const ATTEMPTS: u32 = 3;

pub(crate) const HANGS: &Conduct = &Conduct {
    name: "hangs",
    config: quick,
    definition: || run(ATTEMPTS, 1_100),
    act: |n, _| if n < IN_FLIGHT { Act::DoneBehindGate } else { Act::Done },
};

pub(crate) const PROMPT: &Conduct = &Conduct { name: "prompt", act: |_, _| Act::Done, ..*HANGS };

pub(crate) async fn a_process_killed_with_a_thousand_runs_in_flight_loses_nothing(place: &impl Place) {
    is_killed(place, "in flight", async |_| true).await;
}

pub(crate) async fn a_process_killed_with_a_thousand_runs_in_holds_loses_nothing(place: &impl Place) {
    is_killed(place, "in holds", async |stage| stage.view().await.held == IN_FLIGHT).await;
}

async fn is_killed(place: &impl Place, how: &str, ripe: impl AsyncFn(&Stage) -> bool) {
    let mut stage = Stage::on(place).await;
    stage.publish((0..2 * KEYS).map(|n| (n, format!("k{}", n % KEYS)))).await;
    let mut first = stage.start(HANGS.name);
    let open = |stage: &Stage| open_runs(&stage.diary.lines()).len() as u64;
    stage.until("a thousand runs are open", async || open(&stage) == IN_FLIGHT && ripe(&stage).await).await;
    stage.kill(&mut first);
    let killed = Instant::now();
    let second = stage.start(PROMPT.name);
    stage.settled().await;
    println!("caught up {:.1} s after the kill", killed.elapsed().as_secs_f64());
    second.leave();
    let figures = stage.judged(&format!("a process with {IN_FLIGHT} runs {how} is killed"), ATTEMPTS).await;
    assert_eq!(figures.dead(), 0, "dead letters");
}
