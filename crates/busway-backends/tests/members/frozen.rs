//! A process that stands still past its lease.

use std::collections::BTreeSet;

use super::{
    Place,
    conduct::{Act, Conduct, gate, number, quick, run},
    diary::Line,
    stage::{Stage, open_runs},
};

const EVENTS: u64 = 40;
const ATTEMPTS: u32 = 3;

pub(crate) const WAITS: &Conduct = &Conduct {
    name: "waits",
    config: quick,
    definition: || run(ATTEMPTS, 64),
    act: |n, _| if n < EVENTS { Act::DoneBehindGate } else { Act::Done },
};

/// What it refuses is a dead letter that a late settlement must not overwrite.
pub(crate) const REFUSES_SOME: &Conduct = &Conduct {
    name: "refuses some",
    act: |n, _| if n < EVENTS && n % 4 == 0 { Act::FailForGood } else { Act::Done },
    ..*WAITS
};

pub(crate) async fn a_process_frozen_past_its_lease_settles_nothing_once_it_wakes(place: &impl Place) {
    let mut stage = Stage::on(place).await;
    // Each event has a key of its own in the first round; later rounds follow behind the same keys.
    let round = |round: u64| (round * EVENTS..(round + 1) * EVENTS).map(|n| (n, format!("k{}", n % EVENTS)));
    stage.publish(round(0)).await;
    let frozen = stage.start(WAITS.name);
    let open = |stage: &Stage| open_runs(&stage.diary.lines());
    stage.until("all of them run", async || open(&stage).len() as u64 == EVENTS).await;
    stage.diary.write([Line::Frozen { process: frozen.index }]);
    frozen.freeze();

    let other = stage.start(REFUSES_SOME.name);
    stage.publish(round(1)).await;
    stage.settled().await;
    let late: BTreeSet<(u64, u64)> = open(&stage).into_keys().collect();
    assert_eq!(late.len() as u64, EVENTS, "runs that are still open in the frozen process");
    let settled = (2 * EVENTS - EVENTS / 4, EVENTS / 4);
    let view = stage.view().await;
    assert_eq!((view.delivered_total, view.dead), settled, "delivered and dead before it wakes");

    std::fs::write(gate(&stage.diary), "").unwrap();
    frozen.thaw();
    let is_open = |stage: &Stage| open(stage).keys().any(|run| late.contains(run));
    stage.until("its handlers have ended", async || !is_open(&stage)).await;
    stage.publish(round(2)).await;
    // It lives again: lanes are handed back to it.
    let lines = || stage.diary.lines();
    let again = |line: &Line| matches!(line, Line::Started { process, event, .. } if *process == frozen.index && *event >= 2 * EVENTS);
    let mut more = 3;
    stage
        .until("it works again", async || {
            if stage.standing().await.is_empty() && !lines().iter().any(again) {
                stage.publish(round(more)).await;
                more += 1;
            }
            lines().iter().any(again)
        })
        .await;
    stage.settled().await;
    let view = stage.view().await;
    assert_eq!((view.delivered_total, view.dead), (more * EVENTS - EVENTS / 4, EVENTS / 4), "delivered and dead");
    let dead: BTreeSet<u64> =
        stage.letters().await.iter().filter_map(|letter| letter.entry.event().map(|event| number(event))).collect();
    assert_eq!(dead, (0..EVENTS).step_by(4).collect(), "events whose dead letters stand");
    let fences = |of: u64, first_round: bool| {
        lines().into_iter().filter_map(move |line| match line {
            Line::Started { process, event, fence, .. } if process == of && (event < EVENTS) == first_round => {
                Some(fence)
            }
            _ => None,
        })
    };
    let (old, new) = (fences(frozen.index, true).max(), fences(other.index, true).min());
    assert!(old < new, "the fence rose from {old:?} to {new:?}");
    println!("{} runs ended late, by fence {old:?}; the other ran by {new:?}", late.len());
    frozen.leave();
    other.leave();
    stage.judged("a process is frozen past its lease", ATTEMPTS).await;
}
