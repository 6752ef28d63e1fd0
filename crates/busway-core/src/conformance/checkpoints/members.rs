use super::material::{LANE, saved, subscription};
use crate::{
    MemberId, MemberRecord, RequestKind, SubscriptionId, SubscriptionRecord,
    conformance::{Failed, Outcome, probe::Probe},
};

fn member(probe: &Probe, name: &str) -> MemberRecord {
    MemberRecord { id: MemberId(probe.id()), name: name.into(), counter: 1, lease_ms: 10_000, serves: Vec::new() }
}

/// The members that a pulse of this one tells, by id.
async fn pulse(probe: &Probe, of: &MemberRecord) -> Result<Vec<MemberRecord>, Failed> {
    let mut members = probe.checkpoints().pulse(of).await?.members;
    members.sort_by_key(|member| member.id);
    Ok(members)
}

pub(in crate::conformance) async fn a_pulse_tells_of_every_member(probe: &Probe) -> Outcome {
    let other = probe.again().await?;
    let serves = (0..50).map(|_| SubscriptionId(probe.id())).collect();
    let mut one = MemberRecord { serves, counter: u64::MAX >> 1, lease_ms: 1, ..member(probe, "höst \"1\":42") };
    let mut two = member(probe, "");
    ensure_eq!(pulse(probe, &one).await?, [one.clone()], "members after the first pulse");
    ensure_eq!(pulse(&other, &two).await?, [one.clone(), two.clone()], "members after the second's pulse");
    two.counter += 1;
    two.serves = one.serves.split_off(49);
    pulse(&other, &two).await?;
    ensure_eq!(pulse(probe, &one).await?, [one.clone(), two.clone()], "members after both changed");
    probe.checkpoints().remove_member(two.id).await?;
    probe.checkpoints().remove_member(two.id).await?;
    ensure_eq!(pulse(probe, &one).await?, [one.clone()], "members after one was removed");
    ensure_eq!(pulse(&other, &two).await?, [one, two], "members after the removed one's next pulse");
    Ok(())
}

pub(in crate::conformance) async fn changes_rise_with_each_save_removal_and_request(probe: &Probe) -> Outcome {
    let (watcher, other) = (member(probe, "watcher"), probe.again().await?);
    let changes = async || Ok::<_, Failed>(probe.checkpoints().pulse(&watcher).await?.changes);
    let mut seen = changes().await?;
    let record = saved(&other, "billing").await?;
    for step in ["made", "changed", "asked", "removed"] {
        let checkpoints = other.checkpoints();
        match step {
            "changed" => {
                let changed = SubscriptionRecord { version: 2, ..record.clone() };
                ensure!(checkpoints.save_subscription(&changed, Some(1), &[]).await?, "a change was refused");
            }
            "asked" => drop(checkpoints.request(record.id, LANE, RequestKind::Seek { to: 1 }).await?),
            "removed" => drop(checkpoints.remove_subscription(record.id, false).await?),
            _ => {}
        }
        let now = changes().await?;
        ensure!(now > seen, "changes went from {seen} to {now} when a subscription was {step}");
        seen = now;
    }
    let replay = subscription(probe, "refused");
    ensure!(
        !other.checkpoints().save_subscription(&replay, Some(1), &[]).await?,
        "a change of nothing was not refused"
    );
    ensure!(changes().await? >= seen, "changes fell");
    Ok(())
}
