use std::sync::Arc;

use super::material::{Holder, lane, saved};
use crate::{
    Checkpoint, Checkpoints, CommitOutcome, LaneCommit, MemberId,
    conformance::{
        Failed, Outcome,
        probe::{Probe, at_once},
    },
};

/// The commit by which a member takes a lane.
fn take(probe: &Probe, from: &Checkpoint, mut commit: LaneCommit) -> LaneCommit {
    let id = probe.id();
    commit.checkpoint = Checkpoint {
        version: from.version.taken(),
        written_by: id.as_u128() as u64,
        holder: Some(MemberId(id)),
        released: false,
        ..from.clone()
    };
    commit
}

pub(in crate::conformance) async fn who_lost_the_lane_is_refused(probe: &Probe) -> Outcome {
    let mut holder = Holder::of(probe, "billing").await?;
    let late = holder.next();
    let commit = holder.next();
    let taken = take(probe, &holder.checkpoint.clone(), commit);
    holder.done(taken).await?;
    ensure_eq!(holder.stored().await?.checkpoint, holder.checkpoint, "the checkpoint of a taken lane");
    holder.fenced(late).await?;
    ensure_eq!(holder.stored().await?.checkpoint, holder.checkpoint, "the checkpoint after the old holder's commit");
    let next = holder.next();
    holder.done(next).await
}

pub(in crate::conformance) async fn of_many_who_take_a_lane_at_once_one_gets_it(probe: &Probe) -> Outcome {
    let id = saved(probe, "billing").await?.id;
    race(probe, id, take).await
}

pub(in crate::conformance) async fn of_many_commits_at_once_one_is_done(probe: &Probe) -> Outcome {
    let id = saved(probe, "billing").await?.id;
    race(probe, id, |probe, from, mut commit| {
        commit.checkpoint =
            Checkpoint { written_by: probe.id().as_u128() as u64, version: from.version.next(), ..from.clone() };
        commit
    })
    .await
}

/// Lets several commit at once from the same version, and fails unless exactly one is done and stored.
async fn race(
    probe: &Probe,
    id: crate::SubscriptionId,
    contend: impl Fn(&Probe, &Checkpoint, LaneCommit) -> LaneCommit,
) -> Outcome {
    let stores = [probe.stores(), probe.again().await?.stores()];
    for _ in 0..20 {
        let from = lane(probe, id).await?.checkpoint;
        let commit = || LaneCommit::new(id, super::material::LANE, from.version, from.clone());
        let contenders = stores.iter().cycle().take(6);
        let commits = contenders.map(|stores| try_commit(stores.checkpoints.clone(), contend(probe, &from, commit())));
        let done: Vec<_> = at_once(commits.collect::<Vec<_>>()).await?.into_iter().flatten().collect();
        ensure_eq!(done.len(), 1, "commits done of six at once");
        ensure_eq!(lane(probe, id).await?.checkpoint, done[0], "the checkpoint after six commits at once");
    }
    Ok(())
}

/// Gives the checkpoint back if its commit was done.
async fn try_commit(checkpoints: Arc<dyn Checkpoints>, commit: LaneCommit) -> Result<Option<Checkpoint>, Failed> {
    let checkpoint = commit.checkpoint.clone();
    match checkpoints.commit(commit).await? {
        CommitOutcome::Done => Ok(Some(checkpoint)),
        CommitOutcome::Fenced(_) => Ok(None),
    }
}
