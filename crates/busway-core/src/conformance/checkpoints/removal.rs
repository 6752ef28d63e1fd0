use std::collections::BTreeSet;

use super::material::{Holder, LANE, dead_letter, died, hold, lane, saved};
use crate::{
    Checkpoint, CommitOutcome, DeadLetterQuery, ErrorKind, LaneCommit, RequestKind, SubscriptionRecord,
    conformance::{Outcome, probe::Probe},
};

pub(in crate::conformance) async fn a_removed_subscription_leaves_nothing(probe: &Probe) -> Outcome {
    let (record, other) = (saved(probe, "billing").await?, saved(probe, "other").await?);
    for of in [&record, &other] {
        died(probe, vec![dead_letter(probe, of, 3)]).await?;
        probe.checkpoints().request(of.id, LANE, RequestKind::Seek { to: 1 }).await?;
    }
    let kept = lane(probe, other.id).await?;
    ensure!(probe.checkpoints().remove_subscription(record.id, false).await?, "a stored subscription was not found");
    ensure!(!probe.checkpoints().remove_subscription(record.id, false).await?, "a subscription was removed twice");
    gone(probe, &record).await?;
    let letter = probe.checkpoints().dead_letter_of(record.id, LANE, 3).await?;
    ensure_eq!(letter, None, "a dead letter of a removed subscription");
    ensure_eq!(probe.checkpoints().dead_count(record.id).await?, 0, "dead letters of a removed subscription");
    ensure_eq!(probe.checkpoints().subscriptions().await?, vec![other.clone()], "what is left");
    ensure_eq!(lane(probe, other.id).await?, kept, "the other subscription's lane");
    Ok(())
}

/// Fails unless calls find nothing of it, its dead letters left aside.
async fn gone(probe: &Probe, record: &SubscriptionRecord) -> Outcome {
    let checkpoints = probe.checkpoints();
    for id in probe.lanes() {
        ensure_eq!(checkpoints.lane(record.id, id).await?, None, "a lane of a removed subscription");
    }
    ensure!(checkpoints.checkpoints(Some(record.id)).await?.is_empty(), "a removed subscription has checkpoints");
    ensure!(checkpoints.hold_counts(record.id).await?.is_empty(), "a removed subscription has hold counts");
    let requests = checkpoints.requests().await?;
    ensure!(requests.iter().all(|request| request.subscription != record.id), "a removed subscription has requests");
    let refused = checkpoints.request(record.id, LANE, RequestKind::Seek { to: 1 }).await.map_err(|error| error.kind());
    ensure_eq!(refused, Err(ErrorKind::NotFound), "a request for a removed subscription");
    let start = Checkpoint::starting(0, 1);
    let commit = LaneCommit::new(record.id, LANE, start.version, Checkpoint { version: start.version.next(), ..start });
    let outcome = checkpoints.commit(commit).await?;
    ensure_eq!(outcome, CommitOutcome::Fenced(None), "a commit for a removed subscription");
    let changed = SubscriptionRecord { version: 2, ..record.clone() };
    let is_saved = checkpoints.save_subscription(&changed, Some(1), &[]).await?;
    ensure!(!is_saved, "a removed subscription was changed");
    Ok(())
}

pub(in crate::conformance) async fn dead_letters_stay_if_asked_when_their_subscription_goes(probe: &Probe) -> Outcome {
    let record = saved(probe, "billing").await?;
    died(probe, vec![dead_letter(probe, &record, 3), dead_letter(probe, &record, 4)]).await?;
    let ten = DeadLetterQuery { limit: 10, ..Default::default() };
    let before = probe.checkpoints().dead_letters(&ten).await?;
    ensure!(probe.checkpoints().remove_subscription(record.id, true).await?, "a stored subscription was not found");
    gone(probe, &record).await?;
    let after = probe.checkpoints().dead_letters(&ten).await?;
    ensure_eq!(after, before, "dead letters that were to stay");
    ensure_eq!(probe.checkpoints().dead_count(record.id).await?, 2, "dead letters that were to stay");
    Ok(())
}

pub(in crate::conformance) async fn one_made_later_under_an_old_name_starts_afresh(probe: &Probe) -> Outcome {
    let mut holder = Holder::of(probe, "billing").await?;
    let mut commit = holder.next();
    commit.checkpoint.position = 9;
    commit.holds = vec![hold(1)];
    holder.done(commit).await?;
    probe.checkpoints().remove_subscription(holder.id, true).await?;
    let later = saved(probe, "billing").await?;
    let expected = BTreeSet::from([(later.id, LANE)]);
    let found = lane(probe, later.id).await?;
    ensure_eq!(found.checkpoint, Checkpoint::starting(0, 1), "the checkpoint of the later one");
    ensure!(found.holds.is_empty(), "the later one has holds of the earlier one");
    let listed = probe.checkpoints().checkpoints(None).await?;
    let listed: BTreeSet<_> =
        listed.into_iter().map(|(id, lane, _)| (id, lane)).filter(|(_, lane)| *lane == LANE).collect();
    ensure_eq!(listed, expected, "subscriptions with checkpoints");
    Ok(())
}
