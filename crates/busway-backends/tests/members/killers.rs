//! An event whose handler kills its process.

use busway_core::DeadCause;

use super::{
    Place,
    conduct::{Act, Conduct, number, quick, run},
    diary::Line,
    stage::Stage,
};

const KILLER: u64 = 133;
const EVENTS: u64 = 400;
const KEYS: u64 = 40;
const ATTEMPTS: u32 = 3;

/// Handles everything else beside it for a moment, so that several run when it kills.
const BESIDE: Act = Act::DoneAfter(std::time::Duration::from_millis(3));

pub(crate) const KILLS: &Conduct = &Conduct {
    name: "kills",
    config: quick,
    definition: || run(ATTEMPTS, 16),
    act: |n, _| if n == KILLER { Act::Abort } else { BESIDE },
};

pub(crate) const KILLS_FROM_A_HOLD: &Conduct = &Conduct {
    name: "kills from a hold",
    act: |n, attempt| match (n, attempt) {
        (KILLER, 1) => Act::Fail,
        (KILLER, _) => Act::Abort,
        _ => BESIDE,
    },
    ..*KILLS
};

pub(crate) async fn a_handler_that_kills_its_process_is_dead_after_its_attempts(place: &impl Place) {
    dies_after_its_attempts(place, KILLS).await;
}

pub(crate) async fn a_handler_that_kills_its_process_from_a_hold_is_dead_after_its_attempts(place: &impl Place) {
    dies_after_its_attempts(place, KILLS_FROM_A_HOLD).await;
}

async fn dies_after_its_attempts(place: &impl Place, conduct: &Conduct) {
    let mut stage = Stage::on(place).await;
    stage.publish((0..EVENTS).map(|n| (n, format!("k{}", n % KEYS)))).await;
    let mut member = stage.start(conduct.name);
    let mut losses = 0;
    loop {
        let mut ended = None;
        stage
            .until("the process ends or all is settled", async || {
                ended = member.ended();
                ended.is_some() || stage.standing().await.is_empty()
            })
            .await;
        let Some(status) = ended else { break };
        let by = stage.diary.lines().into_iter().rev().find_map(|line| match line {
            Line::Started { process, event: KILLER, .. } if process == member.index => Some(KILLER),
            _ => None,
        });
        assert_eq!(by, Some(KILLER), "process {} ended with {status}", member.index);
        stage.diary.write([Line::KilledBy { process: member.index, event: KILLER }]);
        losses += 1;
        assert!(losses <= ATTEMPTS + 2, "{losses} processes were lost to an event of {ATTEMPTS} attempts");
        member = stage.start(conduct.name);
    }
    member.leave();
    let letters = stage.letters().await;
    stage.judged(&format!("a handler that {}", conduct.name), ATTEMPTS).await;
    println!("{losses} processes lost to an event of {ATTEMPTS} attempts");
    let dead: Vec<_> =
        letters.iter().map(|letter| (letter.entry.event().map(|event| number(event)), letter.cause)).collect();
    assert_eq!(dead, [(Some(KILLER), DeadCause::Lost)], "dead letters");
}
