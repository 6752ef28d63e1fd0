use super::material::{Holder, LANE, dead_letter, hold, lane, saved};
use crate::{
    Checkpoint, CommitOutcome, Handed, KeyId, LaneCommit, LaneId, MemberId, RequestKind, Segment, Seq, TenantId,
    TurnId, TurnRecord, Version,
    conformance::{Failed, Outcome, probe::Probe},
};

/// A commit that changes everything a commit can change.
async fn full(holder: &mut Holder<'_>) -> Result<LaneCommit, Failed> {
    let (probe, id) = (holder.probe, holder.id);
    let record = probe.checkpoints().subscriptions().await?.into_iter().find(|record| record.id == id);
    let record = record.ok_or_else(|| Failed::new("a stored subscription is missing"))?;
    let request = probe.checkpoints().request(id, LANE, RequestKind::Seek { to: 4 }).await?;
    let mut commit = holder.next();
    commit.checkpoint.position += 10;
    commit.holds = vec![hold(1), hold(2)];
    commit.chunks = vec![(KeyId(1), vec![5, 6]), (KeyId(2), vec![7])];
    commit.turns =
        vec![TurnRecord { turn: TurnId(3), tenant: TenantId::from_store("acme"), position: 2, probation: 0 }];
    commit.dead = vec![dead_letter(probe, &record, 8)];
    commit.requests = vec![request];
    Ok(commit)
}

pub(in crate::conformance) async fn a_checkpoint_comes_back_as_it_was_committed(probe: &Probe) -> Outcome {
    let mut holder = Holder::of(probe, "billing").await?;
    let most = Seq::MAX >> 1;
    let handed = Some(Handed { seq: most, key: u128::MAX, turn: u64::MAX });
    let segments =
        vec![Segment { from: 0, revision: 1 }, Segment { from: 17, revision: 2 }, Segment { from: most, revision: 9 }];
    let holding = Checkpoint {
        position: 12,
        handed,
        segments,
        probation: most,
        delivered: 1 << 40,
        failed: 3,
        ..holder.checkpoint.clone()
    };
    let other = Checkpoint { holder: Some(MemberId(probe.id())), handed: None, probation: 0, ..holding.clone() };
    let released = Checkpoint { released: true, position: most, ..other.clone() };
    let nobodys = Checkpoint { holder: None, ..released.clone() };
    for (n, checkpoint) in [holding, other, released, nobodys].into_iter().enumerate() {
        let mut commit = holder.next();
        // The number is random: every bit of it must come back.
        let written_by = [u64::MAX, 0, 1 << 63, 42][n];
        commit.checkpoint = Checkpoint { version: commit.expected.next(), written_by, ..checkpoint };
        holder.done(commit).await?;
        ensure_eq!(holder.stored().await?.checkpoint, holder.checkpoint, "the checkpoint");
    }
    Ok(())
}

pub(in crate::conformance) async fn a_commit_is_stored_whole(probe: &Probe) -> Outcome {
    let mut holder = Holder::of(probe, "billing").await?;
    let commit = full(&mut holder).await?;
    holder.done(commit).await?;
    let stored = holder.stored().await?;
    ensure_eq!(stored.checkpoint, holder.checkpoint, "the checkpoint");
    let holds: Vec<_> = stored.holds.iter().map(|hold| (hold.key, hold.backlog.as_slice())).collect();
    ensure_eq!(holds, [(KeyId(1), [5, 6].as_slice()), (KeyId(2), [7].as_slice())], "holds with their backlogs");
    ensure_eq!(stored.turns.len(), 1, "tenant holds");
    ensure_eq!(stored.dead, [8], "dead letters");
    ensure_eq!(stored.requests, Vec::new(), "requests");
    Ok(())
}

pub(in crate::conformance) async fn a_repeated_commit_is_recognised_and_changes_nothing(probe: &Probe) -> Outcome {
    let mut holder = Holder::of(probe, "billing").await?;
    let commit = full(&mut holder).await?;
    holder.done(commit.clone()).await?;
    let stored = holder.stored().await?;
    let letter = probe.checkpoints().dead_letter_of(holder.id, LANE, 8).await?;
    for probe in [probe, &probe.again().await?] {
        let outcome = probe.checkpoints().commit(commit.clone()).await?;
        ensure_eq!(outcome, CommitOutcome::Done, "outcome of a repeated commit");
        ensure_eq!(holder.stored().await?, stored, "the lane after a repeated commit");
        let again = probe.checkpoints().dead_letter_of(holder.id, LANE, 8).await?;
        ensure_eq!(again, letter, "the dead letter after a repeated commit");
    }
    let next = holder.next();
    holder.done(next).await
}

pub(in crate::conformance) async fn a_repeat_that_comes_too_late_is_refused(probe: &Probe) -> Outcome {
    let mut holder = Holder::of(probe, "billing").await?;
    let commit = full(&mut holder).await?;
    holder.done(commit.clone()).await?;
    let mut next = holder.next();
    next.released = vec![KeyId(1)];
    holder.done(next).await?;
    let stored = holder.stored().await?;
    holder.fenced(commit).await?;
    ensure_eq!(holder.stored().await?, stored, "the lane after a repeat that came too late");
    Ok(())
}

pub(in crate::conformance) async fn another_commit_to_the_same_version_is_refused(probe: &Probe) -> Outcome {
    let mut holder = Holder::of(probe, "billing").await?;
    let commit = full(&mut holder).await?;
    let mut other = LaneCommit { holds: vec![hold(9)], chunks: Vec::new(), dead: Vec::new(), ..commit.clone() };
    other.checkpoint.written_by ^= 1;
    holder.done(commit).await?;
    let stored = holder.stored().await?;
    holder.fenced(other).await?;
    ensure_eq!(holder.stored().await?, stored, "the lane after another commit to its version");
    Ok(())
}

pub(in crate::conformance) async fn a_commit_from_another_version_is_refused_whole(probe: &Probe) -> Outcome {
    let mut holder = Holder::of(probe, "billing").await?;
    let first = full(&mut holder).await?;
    let mut letter = first.dead[0].clone();
    letter.attempts = 77;
    holder.done(first).await?;
    let request = probe.checkpoints().request(holder.id, LANE, RequestKind::Seek { to: 9 }).await?;
    let stored = holder.stored().await?;
    let letters = probe.checkpoints().dead_letter_of(holder.id, LANE, 8).await?;
    let Version { fence, n } = holder.checkpoint.version;
    let versions =
        [(fence, n + 1), (fence, n - 1), (fence, n + 100), (fence + 1, 0), (fence + 1, n), (fence - 1, n), (0, 0)];
    for expected in versions.map(|(fence, n)| Version { fence, n }) {
        let next = holder.next();
        let commit = LaneCommit {
            expected,
            checkpoint: Checkpoint { version: expected.taken(), position: 99, ..next.checkpoint.clone() },
            released: vec![KeyId(2)],
            holds: vec![hold(1), hold(5)],
            chunks: vec![(KeyId(1), vec![50]), (KeyId(5), vec![51])],
            turns_removed: vec![TurnId(3)],
            dead: vec![letter.clone()],
            requests: vec![request],
            ..next
        };
        let clearing = LaneCommit { clear: true, dead: Vec::new(), buried: vec![8], ..commit.clone() };
        for commit in [commit, clearing] {
            holder.fenced(commit).await?;
            ensure_eq!(holder.stored().await?, stored, "the lane after a commit from {expected:?} was refused");
            let after = probe.checkpoints().dead_letter_of(holder.id, LANE, 8).await?;
            ensure_eq!(after, letters, "the dead letter after a commit from {expected:?} was refused");
        }
    }
    Ok(())
}

pub(in crate::conformance) async fn a_commit_changes_no_other_lane_or_subscription(probe: &Probe) -> Outcome {
    let other = saved(probe, "other").await?;
    let mut holder = Holder::of(probe, "billing").await?;
    let before = lane(probe, other.id).await?;
    let commit = full(&mut holder).await?;
    holder.done(commit).await?;
    let commit = LaneCommit { clear: true, ..holder.next() };
    holder.done(commit).await?;
    ensure_eq!(lane(probe, other.id).await?, before, "another subscription's lane");
    for id in probe.lanes().filter(|id| *id != LaneId(0)) {
        let stored = probe.checkpoints().lane(holder.id, id).await?.map(|lane| (lane.checkpoint, lane.holds.len()));
        ensure_eq!(stored, Some((Checkpoint::starting(0, 1), 0)), "lane {id} of the same subscription");
    }
    Ok(())
}
