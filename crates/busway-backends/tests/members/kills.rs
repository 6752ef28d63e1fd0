//! Members that are killed again and again while they work.

use std::time::{Duration, Instant};

use busway_core::{Random, SeededRandom};
use busway_engine::Config;

use super::{
    Place,
    conduct::{Act, Conduct, quick, run},
    process::{PUBLISHER, Process},
    stage::Stage,
};

/// Chance may charge who is alone when its process is killed; so often in a row it will not.
const ATTEMPTS: u32 = 25;
const MEMBERS: usize = 3;
/// Events that are there when the members start.
const BACKLOG: u64 = 1_000;
/// Between two kills a power of two of runs is acknowledged, up to this, and most milliseconds pass after the last of
/// them: some kills follow at once, others only when everybody works side by side again.
const BETWEEN: (u64, u64) = (9, 40);

/// Handles most events at once or soon, some after a while, so that they become holds, and some at their second attempt.
pub(crate) const ALL_SORTS: &Conduct = &Conduct {
    name: "all sorts",
    config: || Config { slow: Duration::from_millis(150), ..quick() },
    definition: || run(ATTEMPTS, 16),
    act: |n, attempt| match n {
        n if n % 40 == 7 && attempt == 1 => Act::Fail,
        n if n % 150 == 11 => Act::DoneAfter(Duration::from_millis(300)),
        n if n % 2 == 0 => Act::DoneAfter(Duration::from_millis(n % 25)),
        _ => Act::Done,
    },
};

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name}={value} is no number")))
}

/// `BUSWAY_KILLS` says how often, `BUSWAY_KILL_SEED` when and whom.
pub(crate) async fn a_member_killed_at_random_points_loses_nothing(place: &impl Place) {
    let kills = setting("BUSWAY_KILLS").unwrap_or(100);
    let seed = setting("BUSWAY_KILL_SEED").unwrap_or_else(|| busway_core::SystemRandom::default().next() % 1_000_000);
    println!("seed {seed}");
    let chance = SeededRandom::new(seed);
    let mut stage = Stage::on(place).await;
    // The first that are killed have full windows.
    stage.publish((0..BACKLOG).map(|n| (n, format!("k{}", n % 60)))).await;
    let mut members: Vec<Process> = (0..MEMBERS).map(|_| stage.start(ALL_SORTS.name)).collect();
    let mut publishers: Vec<Process> = (0..2).map(|_| stage.start(PUBLISHER)).collect();
    let began = Instant::now();
    for kill in 0..kills {
        stage.more_done(1 << (chance.next() % (BETWEEN.0 + 1))).await;
        tokio::time::sleep(Duration::from_millis(chance.next() % BETWEEN.1)).await;
        let victim = &mut members[chance.next() as usize % MEMBERS];
        stage.kill(victim);
        *victim = stage.start(ALL_SORTS.name);
        if kill % 10 == 9 {
            let publisher = &mut publishers[chance.next() as usize % 2];
            stage.kill(publisher);
            *publisher = stage.start(PUBLISHER);
        }
    }
    let killing = began.elapsed();
    publishers.into_iter().for_each(Process::leave);
    let last = Instant::now();
    stage.settled().await;
    println!("killed for {:.1} s, caught up {:.1} s later", killing.as_secs_f64(), last.elapsed().as_secs_f64());
    members.into_iter().for_each(Process::leave);
    let figures = stage.judged(&format!("{kills} kills at seed {seed}"), ATTEMPTS).await;
    assert_eq!(figures.dead(), 0, "dead letters, where everything succeeds in the end");
}
