use std::{sync::Arc, time::Duration};

use super::material::{Holder, LANE, lane, saved, subscription, time};
use crate::{
    Backoff, Checkpoint, Checkpoints, Control, Definition, LaneId, Mode, OnDead, Order, Owner, Patterns, ReplayOf,
    Retry, Seq, Start, SubscriptionName, SubscriptionRecord, TenantId,
    conformance::{
        Failed, Outcome,
        probe::{Probe, at_once},
    },
};

fn start(probe: &Probe) -> Vec<Seq> {
    (0..Seq::from(probe.log().lanes())).map(|lane| lane * 1_000 + 5).collect()
}

/// Saves and fails unless the answer is the one expected.
async fn save(probe: &Probe, record: &SubscriptionRecord, expected: Option<u64>, saved: bool, what: &str) -> Outcome {
    let is_saved = probe.checkpoints().save_subscription(record, expected, &start(probe)).await?;
    ensure_eq!(is_saved, saved, "saving {what}");
    Ok(())
}

async fn stored(probe: &Probe) -> Result<Vec<SubscriptionRecord>, Failed> {
    let mut records = probe.again().await?.checkpoints().subscriptions().await?;
    records.sort_by_key(|record| record.id);
    Ok(records)
}

/// Records with every field at work.
fn full(probe: &Probe) -> Result<Vec<SubscriptionRecord>, Failed> {
    let plain = subscription(probe, "plain");
    let definition = Definition {
        types: Patterns::parse(["shift.*", "*.created", "!video.viewed"])?,
        mode: Mode::Pull,
        start: Start::Time(time(5)),
        order: Order::Type,
        on_dead: OnDead::Block,
        retry: Retry::fixed(Duration::from_millis(1_234)).attempts(17).jitter(0.125),
        ack_timeout_ms: u64::MAX >> 1,
        concurrency: 1,
        expire_after_ms: Some(86_400_000),
    };
    let exponential = Retry { backoff: Backoff::Exponential, max_delay_ms: 1, ..definition.retry };
    let earlier = Definition { retry: exponential, start: Start::Earliest, mode: Mode::Push, ..definition.clone() };
    let full = SubscriptionRecord {
        owner: Owner::Tenant(TenantId::new("a.b_c:d-e")?),
        name: SubscriptionName::new("A-b_c.d:e/f*")?,
        version: 3,
        revision: 9,
        definition,
        earlier: vec![(7, earlier), (8, plain.definition.clone())],
        control: Control::Disabled,
        made_at: time(1),
        read_at: time(-1),
        ..subscription(probe, "full")
    };
    let replay = ReplayOf { subscription: plain.id, operation: probe.id(), to: vec![0, 5, Seq::MAX >> 1] };
    let replay = SubscriptionRecord { replay: Some(replay), ..subscription(probe, "replay") };
    Ok(vec![plain, full, replay])
}

pub(in crate::conformance) async fn subscriptions_come_back_as_they_were_saved(probe: &Probe) -> Outcome {
    ensure_eq!(stored(probe).await?, Vec::new(), "subscriptions of an empty store");
    let mut records = full(probe)?;
    for record in &records {
        save(probe, record, None, true, "a new subscription").await?;
    }
    ensure_eq!(stored(probe).await?, records, "subscriptions");
    for control in [Control::Paused, Control::Expired, Control::Running] {
        for record in &mut records {
            let before = record.version;
            *record =
                SubscriptionRecord { control, version: before + 1, read_at: time(before as i64), ..record.clone() };
            save(probe, record, Some(before), true, "a changed subscription").await?;
        }
        ensure_eq!(stored(probe).await?, records, "subscriptions after a change");
    }
    Ok(())
}

pub(in crate::conformance) async fn a_name_is_given_once_per_owner(probe: &Probe) -> Outcome {
    let owned = |name: &str, owner: &Owner| SubscriptionRecord { owner: owner.clone(), ..subscription(probe, name) };
    let (all, acme) = (Owner::Installation, Owner::Tenant(TenantId::new("acme")?));
    let first = owned("billing", &all);
    save(probe, &first, None, true, "a new subscription").await?;
    save(probe, &owned("billing", &all), None, false, "another one under the same name").await?;
    save(
        probe,
        &SubscriptionRecord { id: first.id, ..owned("other", &all) },
        None,
        false,
        "another one under the same id",
    )
    .await?;
    save(probe, &owned("Billing", &all), None, true, "one whose name has another case").await?;
    save(probe, &owned("billing", &acme), None, true, "a tenant's of the same name").await?;
    save(probe, &owned("billing", &acme), None, false, "a tenant's second of the same name").await?;
    ensure_eq!(stored(probe).await?.len(), 3, "subscriptions");
    ensure!(stored(probe).await?.contains(&first), "the first record is no longer as it was saved");
    Ok(())
}

pub(in crate::conformance) async fn a_replay_takes_no_name(probe: &Probe) -> Outcome {
    let replay = |name: &str| {
        let of = ReplayOf { subscription: subscription(probe, "any").id, operation: probe.id(), to: vec![1] };
        SubscriptionRecord { replay: Some(of), ..subscription(probe, name) }
    };
    save(probe, &replay("billing"), None, true, "a replay").await?;
    save(probe, &subscription(probe, "billing"), None, true, "a subscription under a replay's name").await?;
    save(probe, &replay("billing"), None, true, "a replay under a subscription's name").await?;
    save(probe, &subscription(probe, "billing"), None, false, "a second subscription under the name").await
}

pub(in crate::conformance) async fn a_subscription_changes_only_from_its_stored_version(probe: &Probe) -> Outcome {
    let first = subscription(probe, "billing");
    save(probe, &first, Some(0), false, "a change of what is not stored").await?;
    save(probe, &first, None, true, "a new subscription").await?;
    let second = SubscriptionRecord { version: 2, control: Control::Paused, ..first.clone() };
    save(probe, &second, Some(1), true, "a change").await?;
    let late = SubscriptionRecord { version: 2, control: Control::Disabled, ..first };
    for expected in [Some(1), Some(3), Some(0), None] {
        save(probe, &late, expected, false, "a change from another version").await?;
    }
    ensure_eq!(stored(probe).await?, vec![second], "the subscription after refused changes");
    Ok(())
}

pub(in crate::conformance) async fn of_many_who_save_at_once_one_is_not_refused(probe: &Probe) -> Outcome {
    let stores = [probe.stores(), probe.again().await?.stores()];
    let together = async |records: Vec<SubscriptionRecord>, expected: Option<u64>| {
        let savers = records.into_iter().zip(stores.iter().cycle());
        at_once(savers.map(|(record, stores)| save_by(stores.checkpoints.clone(), record, expected, start(probe))))
            .await
    };
    for round in 0..10 {
        let name = format!("billing-{round}");
        let new = (0..6).map(|_| subscription(probe, &name)).collect();
        let made: Vec<_> = together(new, None).await?.into_iter().flatten().collect();
        ensure_eq!(made.len(), 1, "subscriptions made at once under one name");
        let changed = |n| SubscriptionRecord { version: 2, read_at: time(n), ..made[0].clone() };
        let kept: Vec<_> = together((0..6).map(changed).collect(), Some(1)).await?.into_iter().flatten().collect();
        ensure_eq!(kept.len(), 1, "changes made at once from one version");
        let stored = stored(probe).await?.into_iter().find(|record| record.id == made[0].id);
        ensure_eq!(stored.as_ref(), kept.first(), "the subscription that several changed at once");
    }
    Ok(())
}

/// Gives the record back if it was saved.
async fn save_by(
    checkpoints: Arc<dyn Checkpoints>,
    record: SubscriptionRecord,
    expected: Option<u64>,
    start: Vec<Seq>,
) -> Result<Option<SubscriptionRecord>, Failed> {
    Ok(checkpoints.save_subscription(&record, expected, &start).await?.then_some(record))
}

pub(in crate::conformance) async fn a_new_subscription_starts_where_it_is_told(probe: &Probe) -> Outcome {
    let record = SubscriptionRecord { revision: 4, ..subscription(probe, "billing") };
    save(probe, &record, None, true, "a new subscription").await?;
    let expected = |lane: LaneId| Checkpoint::starting(start(probe)[usize::from(lane.0)], 4);
    for id in probe.lanes() {
        let stored = probe.checkpoints().lane(record.id, id).await?;
        let stored = stored.ok_or_else(|| Failed::new("a lane of a new subscription is missing"))?;
        ensure_eq!(stored.checkpoint, expected(id), "the first checkpoint of lane {id}");
        let is_empty =
            stored.holds.is_empty() && stored.turns.is_empty() && stored.dead.is_empty() && stored.requests.is_empty();
        ensure!(is_empty, "lane {id} of a new subscription is not empty: {stored:?}");
    }
    let changed = SubscriptionRecord { version: 2, ..record.clone() };
    let elsewhere = vec![77; start(probe).len()];
    ensure!(probe.checkpoints().save_subscription(&changed, Some(1), &elsewhere).await?, "a change was refused");
    ensure_eq!(lane(probe, record.id).await?.checkpoint, expected(LANE), "the checkpoint after a change of the record");
    Ok(())
}

pub(in crate::conformance) async fn checkpoints_are_listed_for_all_or_for_one(probe: &Probe) -> Outcome {
    let one = Holder::of(probe, "one").await?;
    let two = saved(probe, "two").await?;
    let mut expected = Vec::new();
    for id in probe.lanes() {
        expected.push((one.id, id, if id == LANE { one.checkpoint.clone() } else { Checkpoint::starting(0, 1) }));
        expected.push((two.id, id, Checkpoint::starting(0, 1)));
    }
    expected.sort_by_key(|(id, lane, _)| (*id, *lane));
    let listed = async |of| {
        let mut listed = probe.checkpoints().checkpoints(of).await?;
        listed.sort_by_key(|(id, lane, _)| (*id, *lane));
        Ok::<_, Failed>(listed)
    };
    ensure_eq!(listed(None).await?, expected, "checkpoints of all");
    for of in [one.id, two.id] {
        let own: Vec<_> = expected.iter().filter(|(id, ..)| *id == of).cloned().collect();
        ensure_eq!(listed(Some(of)).await?, own, "checkpoints of one");
    }
    ensure_eq!(listed(Some(subscription(probe, "none").id)).await?, Vec::new(), "checkpoints of one that is not there");
    Ok(())
}
