use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    panic::AssertUnwindSafe,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use busway_core::{Checkpoint, LaneId, MemberId, MemberRecord, Result, SubscriptionId};
use futures::FutureExt;
use tokio_util::sync::CancellationToken;

use crate::{
    deliver::{Ended, LaneHandle, Place, Work},
    engine::Inner,
    registry::Registry,
    spread::spread,
};

/// What one member has watched of the others.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// Each other member's counter, and since when it has stood there.
    seen: HashMap<MemberId, (u64, Duration)>,
    changes: Option<u64>,
    counter: u64,
}

impl Watch {
    /// Which of these members live, the watcher included: their counters have moved within a lease of the
    /// watcher's own clock.
    fn living(
        &mut self,
        me: MemberId,
        members: &[MemberRecord],
        elapsed: Duration,
    ) -> BTreeMap<MemberId, MemberRecord> {
        self.seen.retain(|id, _| members.iter().any(|member| member.id == *id));
        let mut living = BTreeMap::new();
        for member in members {
            let seen = self.seen.entry(member.id).or_insert((member.counter, elapsed));
            if seen.0 != member.counter {
                *seen = (member.counter, elapsed);
            }
            if member.id == me || elapsed.saturating_sub(seen.1) < member.lease() {
                living.insert(member.id, member.clone());
            }
        }
        living
    }

    /// Members that have been silent for so long that nobody will miss their records.
    fn forgotten<'a>(&self, members: &'a [MemberRecord], elapsed: Duration) -> impl Iterator<Item = MemberId> + 'a {
        let silent: BTreeSet<MemberId> = members
            .iter()
            .filter(|member| {
                self.seen.get(&member.id).is_some_and(|(_, since)| elapsed.saturating_sub(*since) > member.lease() * 20)
            })
            .map(|member| member.id)
            .collect();
        members.iter().map(|member| member.id).filter(move |id| silent.contains(id))
    }
}

/// Beats, watches the others and sees to it that this process works on its lanes, until told to stop.
pub(crate) async fn attend(inner: Arc<Inner>) {
    let mut watch = Watch::default();
    loop {
        let poked = inner.poke.notified();
        // One that fails is soon repeated: silent for a lease, this member counts as lost.
        let pause = match beat(&inner, &mut watch).await {
            Ok(()) => inner.config.lease / 3,
            Err(error) => {
                tracing::warn!(%error, "the heartbeat failed, trying again");
                inner.config.lease / 12
            }
        };
        inner.beats.raise();
        tokio::select! {
            biased;
            () = inner.stop.cancelled() => return,
            () = poked => {}
            () = inner.seam.clock().sleep(pause) => {}
        }
    }
}

async fn beat(inner: &Arc<Inner>, watch: &mut Watch) -> Result<()> {
    watch.counter += 1;
    let works = inner.works();
    let serves = works.iter().filter(|(_, work)| !work.unfit.load(Ordering::Acquire)).map(|(id, _)| *id).collect();
    let me = MemberRecord { counter: watch.counter, serves, ..inner.member.clone() };
    // Who holds a lane was a member before: read in this order, a holder that is no member has left.
    let held = match works.is_empty() {
        true => Ok(Vec::new()),
        false => inner.stores.checkpoints.checkpoints(None).await,
    };
    let pulse = inner.stores.checkpoints.pulse(&me).await?;
    if watch.changes != Some(pulse.changes) {
        inner.reload().await?;
        watch.changes = Some(pulse.changes);
    }
    let elapsed = inner.seam.clock().elapsed();
    let living = watch.living(me.id, &pulse.members, elapsed);
    for id in watch.forgotten(&pulse.members, elapsed) {
        inner.stores.checkpoints.remove_member(id).await?;
    }
    inner.living.store(Arc::new(living.values().cloned().collect()));
    if !inner.stop.is_cancelled() {
        assign(inner, &living, held?);
    }
    Ok(())
}

/// Takes the lanes that are this process's and free, gives back those that are not its any more, and lets go of those
/// that others have taken.
fn assign(
    inner: &Arc<Inner>,
    living: &BTreeMap<MemberId, MemberRecord>,
    held: Vec<(SubscriptionId, LaneId, Checkpoint)>,
) {
    let works = inner.works();
    let mut lanes: HashMap<SubscriptionId, Vec<LaneId>> = HashMap::new();
    for (id, lane, _) in held.iter().filter(|(id, _, _)| works.contains_key(id)) {
        lanes.entry(*id).or_default().push(*lane);
    }
    let spread_over_living = |(id, lanes)| {
        let serving = living.values().filter(|member| member.serves.contains(&id)).map(|member| &member.id);
        (id, spread(id, lanes, serving))
    };
    let owners: HashMap<_, _> = lanes.into_iter().map(spread_over_living).collect();
    for (id, lane, checkpoint) in held {
        let Some(work) = works.get(&id) else { continue };
        let mine = owners.get(&id).and_then(|owners| owners.get(&lane)) == Some(&inner.member.id);
        let mut lanes = work.lanes();
        match lanes.get(&lane) {
            // Who has nothing to commit would never hear of it.
            Some(handle) if handle.shown.is_fenced_by(&checkpoint) => handle.lost.cancel(),
            Some(handle) if !mine => handle.release.cancel(),
            None if mine && is_free(&checkpoint, inner.member.id, living) => {
                lanes.insert(lane, start(inner, work, lane, checkpoint.version.fence));
            }
            _ => {}
        }
    }
}

/// A lane is free if it was given back, or if who holds it does not live. What this process holds by the
/// store and not in fact, it has lost.
fn is_free(checkpoint: &Checkpoint, me: MemberId, living: &BTreeMap<MemberId, MemberRecord>) -> bool {
    checkpoint.released || checkpoint.holder.is_none_or(|holder| holder == me || !living.contains_key(&holder))
}

fn start(inner: &Arc<Inner>, work: &Arc<Work>, lane: LaneId, fence: u64) -> LaneHandle {
    let record = work.record();
    let name = record.name.clone();
    let (release, lost, cancel) = (CancellationToken::new(), CancellationToken::new(), CancellationToken::new());
    let shown = Arc::default();
    let runner = crate::deliver::Runner {
        place: Place { stores: inner.stores.clone(), seam: inner.seam.clone(), subscription: record, lane },
        work: Arc::clone(work),
        reader: Arc::clone(&inner.reader),
        limits: inner.limits(),
        member: inner.member.id,
        fence,
        alone: inner.alone.clone(),
        tasks: inner.runs.clone(),
        release: release.clone(),
        lost: lost.clone(),
        cancel: cancel.clone(),
        shown: Arc::clone(&shown),
        stirred: Arc::clone(&inner.stirred),
    };
    let handle = LaneHandle { release, lost, cancel: cancel.clone(), shown };
    let (inner, work) = (Arc::clone(inner), Arc::clone(work));
    let runs = inner.runs.clone();
    runs.spawn(async move {
        let ended = AssertUnwindSafe(runner.run()).catch_unwind().await.unwrap_or_else(|_| {
            tracing::error!(subscription = %name, %lane, "a defect ended the work on a lane; it is taken again");
            cancel.cancel();
            Ended::Failed
        });
        if ended == Ended::Failed {
            inner.seam.clock().sleep(Duration::from_millis(100)).await;
        }
        work.lanes().remove(&lane);
        inner.stirred.notify_waiters();
        inner.poke.notify_one();
    });
    handle
}

impl Inner {
    /// Reads subscriptions and requests again and tells those who work on them.
    pub(crate) async fn reload(&self) -> Result<()> {
        // One at a time: what was read earlier must not overwrite what was read later.
        let _turn = self.reloading.lock().await;
        let records = self.stores.checkpoints.subscriptions().await?;
        let requests = self.stores.checkpoints.requests().await?;
        let registry = Registry::of(records);
        for (id, work) in self.works() {
            match registry.get(id) {
                None => self.dismiss(id),
                Some(record) => {
                    if work.record().version != record.version {
                        work.update(Arc::clone(record));
                    }
                    let asked = requests.iter().filter(|request| request.subscription == id);
                    work.ask(asked.map(|request| request.lane).collect());
                }
            }
        }
        self.take_up_replays(&registry);
        self.pulls.retain(|id| registry.get(id).is_some());
        self.registry.store(Arc::new(registry));
        self.asked.store(Arc::new(requests));
        self.stirred.notify_waiters();
        Ok(())
    }

    /// A subscription is gone: what runs of it is cancelled.
    fn dismiss(&self, id: SubscriptionId) {
        let Some(work) = self.forget(id) else { return };
        for handle in work.lanes().values() {
            handle.cancel.cancel();
            handle.release.cancel();
        }
    }
}
