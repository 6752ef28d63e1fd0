use std::time::Duration;

use busway_core::{Random, SeededRandom};

use crate::{
    fresh,
    members::{
        diary::Line,
        in_flight::PROMPT,
        process::{PUBLISHER, Process},
        stage::Stage,
    },
};

const FREEZES: usize = 20;
/// Events that the others publish, and have handled, while one stands still.
const MEANWHILE: usize = 50;

/// Events of other publishers that were stored since the first so many lines of the diary.
fn stored_since(stage: &Stage, first: u64, frozen: u64) -> usize {
    let of_others = |line: &Line| matches!(line, Line::Acknowledged { process, .. } if *process != frozen);
    stage.diary.lines_after(first).into_iter().filter(of_others).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_frozen_wherever_it_stands_stops_nobody() {
    let Some(place) = fresh().await else { return };
    let mut stage = Stage::on(&place).await;
    let member = stage.start(PROMPT.name);
    let publishers: Vec<Process> = (0..3).map(|_| stage.start(PUBLISHER)).collect();
    let chance = SeededRandom::new(1);
    stage.more_done(1).await;
    for freeze in 0..FREEZES {
        let victim = &publishers[freeze % publishers.len()];
        tokio::time::sleep(Duration::from_millis(chance.next() % 100)).await;
        victim.freeze();
        let first = stage.diary.len();
        let what = "the others publish";
        stage.until(what, async || stored_since(&stage, first, victim.index) >= MEANWHILE).await;
        stage.more_done(MEANWHILE as u64).await;
        victim.thaw();
    }
    publishers.into_iter().for_each(Process::leave);
    stage.settled().await;
    member.leave();
    stage.judged(&format!("publishers frozen {FREEZES} times"), 3).await;
}
