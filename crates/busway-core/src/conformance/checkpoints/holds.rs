use super::material::{Holder, dead_letter, hold, time};
use crate::{
    Failure, HoldRecord, HoldState, KeyId, LaneCommit, Seq, SubscriptionName, TenantId, Timestamp, TurnId, TurnRecord,
    conformance::{Outcome, probe::Probe},
};

fn turn(turn: u64, tenant: &str, position: Seq) -> TurnRecord {
    TurnRecord { turn: TurnId(turn), tenant: TenantId::from_store(tenant), position, probation: 0 }
}

pub(in crate::conformance) async fn holds_come_back_as_they_were_written(probe: &Probe) -> Outcome {
    let mut holder = Holder::of(probe, "billing").await?;
    let most = Seq::MAX >> 1;
    let errors = ["", "it broke", "\u{0}\n\"'\\ ключ 🔑", &"long ".repeat(2_000)];
    let failures = errors.iter().enumerate().map(|(n, error)| Failure { at: time(n as i64), error: (*error).into() });
    let failures: Vec<Failure> = failures.collect();
    let holds = vec![
        HoldRecord { state: HoldState::Waiting, failures, attempt: u32::MAX >> 1, ..hold(0) },
        HoldRecord {
            state: HoldState::Suspect,
            done: 3,
            head: None,
            again: Some(2),
            turn: TurnId(u64::MAX),
            ..hold(1)
        },
        HoldRecord { state: HoldState::Running, done: most, head: None, due: Timestamp::MIN, ..hold(u128::MAX >> 1) },
        HoldRecord {
            state: HoldState::Leased,
            fence: u64::MAX >> 1,
            last: most,
            head: Some(most),
            ..hold(KeyId::solo(9).0)
        },
        HoldRecord { state: HoldState::Blocked, due: Timestamp::MAX, turn: TurnId(0), attempt: 0, ..hold(u128::MAX) },
    ];
    let commit = LaneCommit { holds: holds.clone(), ..holder.next() };
    holder.done(commit).await?;
    ensure_eq!(holder.stored().await?.holds, holds, "holds");
    Ok(())
}

pub(in crate::conformance) async fn a_hold_is_rewritten_and_removed(probe: &Probe) -> Outcome {
    let mut holder = Holder::of(probe, "billing").await?;
    let commit = LaneCommit { holds: vec![hold(1), hold(2), hold(3)], ..holder.next() };
    holder.done(commit).await?;
    let changed = HoldRecord {
        state: HoldState::Running,
        done: 4,
        head: Some(5),
        attempt: 2,
        failures: vec![Failure { at: time(1), error: "no".into() }],
        ..hold(2)
    };
    let commit = LaneCommit { holds: vec![changed.clone()], released: vec![KeyId(3)], ..holder.next() };
    holder.done(commit).await?;
    ensure_eq!(holder.stored().await?.holds, [hold(1), changed], "holds after one was rewritten and one removed");
    let fresh = hold(2);
    let commit = LaneCommit { holds: vec![fresh.clone()], released: vec![KeyId(1), KeyId(77)], ..holder.next() };
    holder.done(commit).await?;
    ensure_eq!(holder.stored().await?.holds, [fresh], "holds after the rest was rewritten and removed");
    Ok(())
}

pub(in crate::conformance) async fn the_backlog_of_a_hold_grows_by_chunks_and_loses_what_is_done(
    probe: &Probe,
) -> Outcome {
    let mut holder = Holder::of(probe, "billing").await?;
    let most = Seq::MAX >> 1;
    let commit = LaneCommit {
        holds: vec![hold(1), hold(2)],
        chunks: vec![(KeyId(1), vec![3, 5]), (KeyId(2), vec![4]), (KeyId(1), vec![8])],
        ..holder.next()
    };
    holder.done(commit).await?;
    // A chunk for a hold that this commit does not write.
    let commit = LaneCommit { chunks: vec![(KeyId(1), vec![300, most])], ..holder.next() };
    holder.done(commit).await?;
    let backlogs = |holds: &[HoldRecord]| holds.iter().map(|hold| hold.backlog.clone()).collect::<Vec<_>>();
    ensure_eq!(backlogs(&holder.stored().await?.holds), [vec![3, 5, 8, 300, most], vec![4]], "backlogs");
    for (done, left) in [(5, vec![8, 300, most]), (8, vec![300, most]), (most, vec![])] {
        let commit = LaneCommit { holds: vec![HoldRecord { done, head: None, ..hold(1) }], ..holder.next() };
        holder.done(commit).await?;
        ensure_eq!(backlogs(&holder.stored().await?.holds), [left, vec![4]], "backlogs once {done} is done");
    }
    Ok(())
}

pub(in crate::conformance) async fn a_hold_made_anew_has_no_backlog(probe: &Probe) -> Outcome {
    let mut holder = Holder::of(probe, "billing").await?;
    let commit = LaneCommit { holds: vec![hold(1)], chunks: vec![(KeyId(1), vec![3, 5])], ..holder.next() };
    holder.done(commit).await?;
    let commit = LaneCommit { released: vec![KeyId(1)], ..holder.next() };
    holder.done(commit).await?;
    let commit = LaneCommit { holds: vec![hold(1)], ..holder.next() };
    holder.done(commit).await?;
    ensure_eq!(holder.stored().await?.holds, [hold(1)], "the hold of a key that had one before");
    Ok(())
}

pub(in crate::conformance) async fn a_hold_remembers_a_hundred_thousand_events(probe: &Probe) -> Outcome {
    let mut holder = Holder::of(probe, "billing").await?;
    let commit = LaneCommit { holds: vec![hold(1)], ..holder.next() };
    holder.done(commit).await?;
    let all: Vec<Seq> = (1..=100_000).map(|n| n * 3).collect();
    for chunk in all.chunks(4_000) {
        let commit = LaneCommit { chunks: vec![(KeyId(1), chunk.to_vec())], ..holder.next() };
        holder.done(commit).await?;
    }
    let stored = holder.stored().await?;
    ensure_eq!(stored.holds.len(), 1, "holds");
    ensure!(stored.holds[0].backlog == all, "a backlog of 100,000 came back as {} seqs", stored.holds[0].backlog.len());
    Ok(())
}

pub(in crate::conformance) async fn tenant_holds_come_back_change_and_go(probe: &Probe) -> Outcome {
    let mut holder = Holder::of(probe, "billing").await?;
    let most = Seq::MAX >> 1;
    let longest = "x".repeat(128);
    let turns = vec![
        turn(0, "acme", 3),
        TurnRecord { probation: 9, ..turn(5, "a.b_c:d-e", most) },
        turn(u64::MAX, &longest, 0),
    ];
    let commit = LaneCommit { turns: turns.clone(), ..holder.next() };
    holder.done(commit).await?;
    ensure_eq!(holder.stored().await?.turns, turns, "tenant holds");
    let changed = TurnRecord { probation: 1, ..turn(0, "acme", 4) };
    let commit = LaneCommit { turns: vec![changed.clone()], turns_removed: vec![TurnId(5)], ..holder.next() };
    holder.done(commit).await?;
    ensure_eq!(holder.stored().await?.turns, [changed, turns[2].clone()], "tenant holds after a change");
    Ok(())
}

pub(in crate::conformance) async fn a_seek_clears_what_is_held_and_keeps_the_dead_letters(probe: &Probe) -> Outcome {
    let mut holder = Holder::of(probe, "billing").await?;
    let mut of = super::material::subscription(probe, "billing");
    (of.id, of.name) = (holder.id, SubscriptionName::from_store("billing"));
    let commit = LaneCommit {
        holds: vec![hold(1), hold(2)],
        chunks: vec![(KeyId(1), vec![3, 5])],
        turns: vec![turn(1, "acme", 3)],
        dead: vec![dead_letter(probe, &of, 8)],
        ..holder.next()
    };
    holder.done(commit).await?;
    let commit = LaneCommit { clear: true, holds: vec![hold(2)], turns: vec![turn(2, "bolt", 4)], ..holder.next() };
    holder.done(commit).await?;
    let stored = holder.stored().await?;
    ensure_eq!(stored.holds, [hold(2)], "holds that the seek wrote itself");
    ensure_eq!(stored.turns, [turn(2, "bolt", 4)], "tenant holds that the seek wrote itself");
    ensure_eq!(stored.dead, [8], "dead letters after a seek");
    let commit = LaneCommit { holds: vec![hold(1)], ..holder.next() };
    holder.done(commit).await?;
    ensure_eq!(holder.stored().await?.holds, [hold(1), hold(2)], "holds: the one made after the seek has no backlog");
    Ok(())
}

pub(in crate::conformance) async fn hold_counts_tell_how_many_and_the_least_seq_needed(probe: &Probe) -> Outcome {
    let mut holder = Holder::of(probe, "billing").await?;
    let held = |key, done, head| HoldRecord { done, head, ..hold(key) };
    let (one, two, three) = (held(1, 9, Some(20)), held(2, 0, Some(30)), held(3, 5, None));
    let steps: [(LaneCommit, u64, Seq); 7] = [
        (LaneCommit { holds: vec![held(1, 0, Some(10)), two], ..holder.next() }, 2, 10),
        (LaneCommit { holds: vec![one], ..holder.next() }, 2, 20),
        (LaneCommit { holds: vec![three], chunks: vec![(KeyId(3), vec![12, 40])], ..holder.next() }, 3, 12),
        (LaneCommit { turns: vec![turn(1, "acme", 6)], ..holder.next() }, 3, 7),
        (LaneCommit { turns_removed: vec![TurnId(1)], released: vec![KeyId(3)], ..holder.next() }, 2, 20),
        (
            LaneCommit {
                released: vec![KeyId(1), KeyId(2)],
                holds: vec![HoldRecord { again: Some(2), ..held(4, 50, None) }],
                ..holder.next()
            },
            1,
            Seq::MAX,
        ),
        (LaneCommit { clear: true, ..holder.next() }, 0, Seq::MAX),
    ];
    for (n, (mut commit, holds, needs)) in steps.into_iter().enumerate() {
        commit.expected = holder.checkpoint.version;
        commit.checkpoint.version = commit.expected.next();
        holder.done(commit).await?;
        let mut counts = probe.again().await?.checkpoints().hold_counts(holder.id).await?;
        counts.sort_unstable();
        let expected: Vec<_> =
            probe.lanes().map(|lane| if lane.0 == 0 { (lane, holds, needs) } else { (lane, 0, Seq::MAX) }).collect();
        ensure_eq!(counts, expected, "(lane, holds, least seq needed) after step {n}");
    }
    Ok(())
}
