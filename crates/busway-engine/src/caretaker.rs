use std::{collections::HashMap, sync::Arc, time::Duration};

use busway_core::{Control, LaneId, OperationState, ReplayOf, Result, Seq, SubscriptionId, SubscriptionRecord};

use crate::{engine::Inner, lease::Lease};

/// Retention and expiry are looked at this often, where what they go by is not shorter than an hour.
const LOOK: Duration = Duration::from_secs(60);

/// What one process watches of the lease and of the subscriptions that may expire.
#[derive(Debug)]
struct Watch {
    lease: Lease,
    /// When retention and expiry were last looked at.
    looked: Option<Duration>,
    /// Where a subscription that may expire stood, and since when.
    standing: HashMap<SubscriptionId, (Vec<Seq>, Duration)>,
}

/// Carries operations on, removes what retention allows and lets subscriptions expire: in one process at a
/// time, until told to stop.
pub(crate) async fn care(inner: Arc<Inner>) {
    let mut watch = Watch { lease: Lease::new("caretaker"), looked: None, standing: HashMap::new() };
    loop {
        let asked = inner.work.notified();
        match round(&inner, &mut watch).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "operations and retention are held up"),
        }
        tokio::select! {
            biased;
            () = inner.services_stop.cancelled() => return,
            () = asked => {}
            () = inner.seam.clock().sleep(inner.config.lease / 2) => {}
        }
    }
}

/// One round; true if an operation has more to do at once.
async fn round(inner: &Inner, watch: &mut Watch) -> Result<bool> {
    if !watch.lease.is_held(inner).await? || inner.services_stop.is_cancelled() {
        return Ok(false);
    }
    let mut more = false;
    let operations = inner.stores.checkpoints.operations().await?;
    let running = || operations.iter().filter(|operation| operation.state == OperationState::Running);
    for operation in running() {
        // One that is held up holds up no other.
        match inner.step(operation).await {
            Ok(again) => more |= again,
            Err(error) => tracing::warn!(%error, id = %operation.id, kind = operation.kind, "an operation is held up"),
        }
    }
    // A replay whose operation was given up, or is not known any more, goes.
    let replays: Vec<_> = inner.registry.load().replays().cloned().collect();
    for replay in replays {
        let known = |of: &ReplayOf| running().any(|operation| operation.id == of.operation);
        if !replay.replay.as_ref().is_some_and(known) {
            inner.stores.checkpoints.remove_subscription(replay.id, true).await?;
            inner.poke.notify_one();
        }
    }
    let elapsed = inner.seam.clock().elapsed();
    if watch.looked.is_none_or(|looked| elapsed.saturating_sub(looked) >= pause(inner)) {
        expire(inner, watch).await?;
        prune(inner).await?;
        watch.looked = Some(elapsed);
    }
    Ok(more)
}

/// How long retention and expiry are left alone: a sixtieth of the shortest, so that they cost little while all is idle.
fn pause(inner: &Inner) -> Duration {
    let registry = inner.registry.load();
    let lives = registry.all().filter_map(|record| record.definition.expire_after_ms).map(Duration::from_millis);
    let shortest = lives.chain(inner.config.retention).min().unwrap_or(Duration::MAX);
    LOOK.min(shortest / 60)
}

/// Removes what is older than the retention and nobody needs any more.
async fn prune(inner: &Inner) -> Result<()> {
    let Some(retention) = inner.config.retention else { return Ok(()) };
    let before = inner.seam.now() - retention;
    for (lane, upto) in (0..).map(LaneId).zip(floors(inner).await?) {
        inner.stores.log.prune(lane, upto, before).await?;
    }
    Ok(())
}

/// Per lane, up to where no subscription needs the log any more. Positions are read before the holds.
async fn floors(inner: &Inner) -> Result<Vec<Seq>> {
    let checkpoints = &inner.stores.checkpoints;
    let mut floors = inner.stores.log.heads().await?.seqs;
    let records = checkpoints.subscriptions().await?;
    let expired =
        |id: SubscriptionId| records.iter().any(|record| record.id == id && record.control == Control::Expired);
    for (id, lane, checkpoint) in checkpoints.checkpoints(None).await? {
        if !expired(id) {
            let floor = &mut floors[usize::from(lane.0)];
            *floor = (*floor).min(checkpoint.position);
        }
    }
    for record in records.iter().filter(|record| record.control != Control::Expired) {
        for (lane, _, needed) in checkpoints.hold_counts(record.id).await? {
            let floor = &mut floors[usize::from(lane.0)];
            *floor = (*floor).min(needed.saturating_sub(1));
        }
    }
    Ok(floors)
}

/// Lets subscriptions expire that have stood unread for as long as they may.
async fn expire(inner: &Inner, watch: &mut Watch) -> Result<()> {
    let records = inner.registry.load_full();
    let mortal: Vec<&Arc<SubscriptionRecord>> =
        records.all().filter(|record| record.definition.expire_after_ms.is_some()).collect();
    watch.standing.retain(|id, _| mortal.iter().any(|record| record.id == *id));
    if mortal.is_empty() {
        return Ok(());
    }
    let heads = inner.stores.log.heads().await?.seqs;
    let elapsed = inner.seam.clock().elapsed();
    for record in mortal {
        let lanes = inner.stores.checkpoints.checkpoints(Some(record.id)).await?;
        let positions: Vec<Seq> = lanes.iter().map(|(.., checkpoint)| checkpoint.position).collect();
        let at_end = positions.iter().zip(&heads).all(|(position, head)| position >= head);
        let standing = watch.standing.entry(record.id).or_insert_with(|| (positions.clone(), elapsed));
        if at_end || standing.0 != positions {
            *standing = (positions, elapsed);
        }
        let most = Duration::from_millis(record.definition.expire_after_ms.unwrap_or(u64::MAX));
        if record.control == Control::Running && elapsed.saturating_sub(standing.1) >= most {
            tracing::warn!(subscription = %record.name, owner = %record.owner, "stood unread for {most:?}: expired");
            let mut next = SubscriptionRecord::clone(record);
            next.version += 1;
            next.control = Control::Expired;
            inner.stores.checkpoints.save_subscription(&next, Some(record.version), &[]).await?;
            inner.poke.notify_one();
        }
    }
    Ok(())
}
