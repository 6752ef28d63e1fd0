mod ahead;
mod delivery_id;
mod lanes;
mod reading;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use busway_core::{
    Body, CommitOutcome, Control, DeadCause, Entry, Epoch, Error, ErrorKind, FieldError, LaneId, Mode, Owner, Result,
    Seq, SubscriptionName, SubscriptionRecord, Timestamp, Version,
};

use crate::{
    Engine, Leased, Settled, Settlements,
    deliver::Place,
    engine::Inner,
    lane::{
        Item, Policy,
        pull::{PullLane, Settling},
    },
    signal::Watcher,
};
use delivery_id::DeliveryId;
pub(crate) use lanes::PullLanes;
use lanes::Pulled;
use reading::Ends;

/// How often a call starts again because another changed the lane, before it gives up.
const TRIES: usize = 64;
/// How long a call repeats a commit whose outcome is unknown before it tells its caller.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often it is looked at what other processes have leased and settled. What is changed on top of something old is
/// refused by the store; this is for what stays as it is.
const LOOK: Duration = Duration::from_secs(1);

/// What is leased of some lanes, and when the next hold is due.
type Round = (Vec<Leased>, Option<Timestamp>);

/// A settlement as it was sent: the id, what it says if it says anything, and what is to be done.
type Sent = (String, Option<DeliveryId>, Settling);

/// The delivery that a settlement is for, and its place among those sent.
type Settlement = (DeliveryId, usize);

impl Engine {
    /// Leases up to `max` (1 to 1,000) deliveries of a subscription of mode `pull`; waits up to `wait` for the
    /// first. `WrongMode` for another mode.
    pub async fn pull(
        &self,
        owner: &Owner,
        name: &SubscriptionName,
        max: usize,
        wait: Duration,
    ) -> Result<Vec<Leased>> {
        let inner = &self.inner;
        let seam = &inner.seam;
        let give_up = seam.clock().elapsed() + wait;
        // Who finds something at once does not wait: the lanes' ends are not read for it.
        let mut ends: Vec<Watcher> = Vec::new();
        loop {
            let record = inner.pulled(owner, name).await?;
            ends.iter_mut().for_each(Watcher::mark_seen);
            let stirred = inner.stirred.notified();
            tokio::pin!(stirred);
            stirred.as_mut().enable();
            let max = max.clamp(1, 1_000);
            let (mut leased, mut due) = (Vec::new(), None);
            if record.control == Control::Running {
                (leased, due) = inner.pull_round(&record, max).await?;
                if let Some(replay) = inner.replay_of(&record).filter(|_| leased.len() < max) {
                    // While live events come, a replay gets a quarter.
                    let quarter = if leased.is_empty() { max } else { (max / 4).min(max - leased.len()) };
                    let (replayed, next) = inner.pull_round(&replay, quarter.max(1)).await?;
                    leased.extend(replayed);
                    due = [due, next].into_iter().flatten().min();
                }
            }
            let left = give_up.saturating_sub(seam.clock().elapsed());
            if !leased.is_empty() || left.is_zero() || inner.stop.is_cancelled() {
                return Ok(leased);
            }
            if ends.is_empty() {
                ends = (0..inner.stores.log.lanes()).map(|lane| inner.reader.watch(LaneId(lane))).collect();
                continue;
            }
            let until_due =
                due.map_or(left, |due| due.since(seam.steady()).max(Duration::from_millis(1)).min(left)).min(LOOK);
            let moved = futures::future::select_all(ends.iter_mut().map(|end| Box::pin(end.changed())));
            tokio::select! {
                biased;
                () = inner.stop.cancelled() => return Ok(Vec::new()),
                _ = moved => {}
                () = stirred => {}
                () = seam.clock().sleep(until_due) => {}
            }
        }
    }

    /// Settles leased deliveries; results in the order ack, retry, dead, extend. An id twice: `InvalidBody`
    /// and nothing is applied.
    pub async fn settle(
        &self,
        owner: &Owner,
        name: &SubscriptionName,
        settlements: Settlements,
    ) -> Result<Vec<Settled>> {
        let inner = &self.inner;
        let record = inner.pulled(owner, name).await?;
        let now = inner.seam.steady();
        let sent = sent(settlements, now)?;
        let replay = inner.replay_of(&record);
        let mut by_lane: BTreeMap<(bool, LaneId), Vec<Settlement>> = BTreeMap::new();
        let (lanes, Epoch(epoch)) = (inner.stores.log.lanes(), inner.reader.epoch());
        for (index, (_, id, _)) in sent.iter().enumerate() {
            if let Some(id) = id.filter(|id| id.lane.0 < lanes && id.epoch == epoch) {
                by_lane.entry((id.replay, id.lane)).or_default().push((id, index));
            }
        }
        let lanes = by_lane.into_iter().filter_map(|((replayed, lane), mut ids)| {
            let (sent, record) = (&sent, if replayed { replay.as_ref()? } else { &record });
            // Per key by seq, extensions last: an event that is extended is not settled by the same call.
            ids.sort_by_key(|(id, index)| (matches!(sent[*index].2, Settling::Extend { .. }), *id));
            Some(async move { inner.settle_lane(record, lane, &ids, sent).await })
        });
        let mut settled = vec![false; sent.len()];
        for index in futures::future::try_join_all(lanes).await?.into_iter().flatten() {
            settled[index] = true;
        }
        inner.stirred.notify_waiters();
        Ok(sent.into_iter().zip(settled).map(|((id, ..), settled)| Settled { id, settled }).collect())
    }
}

fn policy(record: &SubscriptionRecord) -> Policy {
    Policy { attempts: record.definition.retry.attempts, on_dead: record.definition.on_dead }
}

/// The settlements in the order sent, with their ids read; an id twice is refused.
fn sent(settlements: Settlements, now: Timestamp) -> Result<Vec<Sent>> {
    let no_reason = || "the puller gave no reason".to_owned();
    let ack = settlements.ack.into_iter().map(|id| (id, Settling::Ack));
    let retries = settlements.retry.into_iter().map(|entry| {
        let due = entry.delay.map(|delay| now + delay);
        (entry.id, Settling::Retry { due, error: entry.error.unwrap_or_else(no_reason).into() })
    });
    let dead = settlements.dead.into_iter().map(|entry| {
        let error = entry.error.unwrap_or_else(no_reason).into();
        (entry.id, Settling::Dead { cause: DeadCause::Permanent, error })
    });
    let extend = settlements.extend.into_iter().map(|entry| (entry.id, Settling::Extend { until: now + entry.by }));
    let all = ack.chain(retries).chain(dead).chain(extend);
    let sent: Vec<Sent> = all
        .map(|(id, settling)| {
            let read = DeliveryId::parse(&id);
            (id, read, settling)
        })
        .collect();
    let mut seen = HashSet::with_capacity(sent.len());
    let repeated = sent.iter().filter(|(id, ..)| !seen.insert(id));
    let faults: Vec<_> =
        repeated.map(|(id, ..)| FieldError::new("", "duplicate_id", format!("{id:?} is named twice"))).collect();
    if faults.is_empty() { Ok(sent) } else { Err(Error::invalid(ErrorKind::InvalidBody, faults)) }
}

impl Inner {
    async fn pulled(&self, owner: &Owner, name: &SubscriptionName) -> Result<Arc<SubscriptionRecord>> {
        let record = self.named(owner, name).await?;
        match record.definition.mode {
            Mode::Pull => Ok(record),
            mode => {
                let mode = format!("{mode:?}").to_lowercase();
                let detail =
                    format!("`{name}` is of mode {mode}: its events go to its own workers and cannot be pulled");
                Err(Error::new(ErrorKind::WrongMode, detail))
            }
        }
    }

    /// One look at every lane.
    async fn pull_round(&self, record: &Arc<SubscriptionRecord>, max: usize) -> Result<Round> {
        let lanes = self.pulls.of(record.id);
        let lately = lanes.looked_within(LOOK, self.seam.clock().elapsed());
        if !lately {
            self.look_at_versions(record, &lanes).await?;
        }
        let news = lanes.news();
        let round = self.lease_from_lanes(record, &lanes, max).await?;
        if lately && round.0.is_empty() {
            self.look_at_versions(record, &lanes).await?;
        }
        // Perhaps another call has learned meanwhile what this one did not know.
        if round.0.is_empty() && lanes.news() != news {
            return self.lease_from_lanes(record, &lanes, max).await;
        }
        Ok(round)
    }

    /// Lanes are asked for an equal share first, and for the rest in turn if that was not enough.
    async fn lease_from_lanes(&self, record: &Arc<SubscriptionRecord>, lanes: &Pulled, max: usize) -> Result<Round> {
        let ends = Ends::default();
        let order = self.pulls.in_turn();
        let (mut leased, mut due) = (Vec::new(), None);
        let share = max.div_ceil(usize::from(self.stores.log.lanes()));
        let mut more = Vec::new();
        let asked = order.clone().scan(max, |left, lane| {
            let quota = share.min(*left);
            *left -= quota;
            Some((lane, quota))
        });
        let rounds = asked.filter(|(_, quota)| *quota > 0).map(|(lane, quota)| {
            let ends = &ends;
            async move { self.pull_lane(record, lanes, lane, ends, quota).await.map(|got| (lane, quota, got)) }
        });
        for (lane, quota, (got, next)) in futures::future::try_join_all(rounds).await? {
            due = [due, next].into_iter().flatten().min();
            if got.len() == quota {
                more.push(lane);
            }
            leased.extend(got);
        }
        let untouched = order.skip(max.div_ceil(share));
        for lane in more.into_iter().chain(untouched) {
            if leased.len() >= max {
                break;
            }
            let (got, next) = self.pull_lane(record, lanes, lane, &ends, max - leased.len()).await?;
            due = [due, next].into_iter().flatten().min();
            leased.extend(got);
        }
        Ok((leased, due))
    }

    async fn pull_lane(
        &self,
        record: &Arc<SubscriptionRecord>,
        lanes: &Pulled,
        lane: LaneId,
        ends: &Ends,
        max: usize,
    ) -> Result<Round> {
        let known = lanes.lane(lane);
        let mut seen = known.seen.lock().await;
        for _ in 0..TRIES {
            let Some((version, mut pulled)) = self.load(&mut seen, lanes, record, lane).await? else {
                return Ok((Vec::new(), None));
            };
            let before = pulled.position();
            let now = self.seam.steady();
            pulled.carry_out(now);
            let record = &self.record_for(record, &pulled).await?;
            let until = now + record.definition.ack_timeout();
            let mut leases = pulled.lease_due(now, max, until, policy(record));
            let mut bodies: HashMap<Seq, Arc<Entry>> = HashMap::new();
            while leases.len() < max && pulled.held() < self.config.max_holds {
                let left = max - leases.len();
                let (reads, looked) = self.read_for(record, known, &pulled, lane, ends, left).await?;
                let after = pulled.position();
                if looked <= after {
                    break;
                }
                let order = record.definition.order;
                let items: Vec<Item> = reads
                    .iter()
                    .map(|read| Item {
                        seq: read.entry.seq,
                        key: read.entry.key_id(order),
                        turn: read.turn,
                        size: read.size,
                    })
                    .collect();
                let new = pulled.lease_new(&items, looked, left, until);
                bodies.extend(reads.into_iter().map(|read| (read.entry.seq, read.entry)));
                for lease in new {
                    match bodies.get(&lease.seq).map(|entry| &entry.body) {
                        Some(Body::Undecodable(undecodable)) => {
                            let error = undecodable.error.as_str().into();
                            let dead = Settling::Dead { cause: DeadCause::Undecodable, error };
                            pulled.settle((lease.key, lease.seq, lease.fence), dead, now, policy(record), |_| now);
                        }
                        _ => leases.push(lease),
                    }
                }
                if pulled.position() == after {
                    break;
                }
            }
            let due = pulled.next_due();
            if self.commit_pulled(&mut seen, lanes, record, lane, (version, pulled), before).await? {
                return Ok((self.leased_of(record, lane, leases, bodies).await?, due));
            }
        }
        Err(crowded(record, lane))
    }

    /// Settles what is said of one lane; tells the places of what counted.
    async fn settle_lane(
        &self,
        record: &Arc<SubscriptionRecord>,
        lane: LaneId,
        ids: &[Settlement],
        sent: &[Sent],
    ) -> Result<Vec<usize>> {
        let backoff = |now, attempt| now + record.definition.retry.delay_after(attempt, self.seam.chance());
        let settle = |pulled: &mut PullLane, now| {
            let settled = ids.iter().filter(|(id, index)| {
                let settling = sent[*index].2.clone();
                pulled
                    .settle((id.key, id.seq, id.fence), settling, now, policy(record), |attempt| backoff(now, attempt))
            });
            settled.map(|(_, index)| *index).collect::<Vec<_>>()
        };
        let settled = self.change(record, lane, settle).await?;
        if settled.is_empty() {
            // Nothing was stored, so nothing told whether the lane is still as it was last seen.
            self.forget_lane(record, lane).await;
            return self.change(record, lane, settle).await;
        }
        Ok(settled)
    }

    /// Changes a lane in mode `pull`, starting again until the change is made on what is stored.
    async fn change<T: Default>(
        &self,
        record: &Arc<SubscriptionRecord>,
        lane: LaneId,
        change: impl Fn(&mut PullLane, Timestamp) -> T,
    ) -> Result<T> {
        let lanes = self.pulls.of(record.id);
        let mut seen = lanes.lane(lane).seen.lock().await;
        for _ in 0..TRIES {
            let Some((version, mut pulled)) = self.load(&mut seen, &lanes, record, lane).await? else {
                return Ok(T::default());
            };
            let before = pulled.position();
            let now = self.seam.steady();
            pulled.carry_out(now);
            let result = change(&mut pulled, now);
            if self.commit_pulled(&mut seen, &lanes, record, lane, (version, pulled), before).await? {
                return Ok(result);
            }
        }
        Err(crowded(record, lane))
    }

    /// Carries out what is asked of a lane in mode `pull`.
    pub(crate) async fn carry_out_requests(&self, record: &SubscriptionRecord, lane: LaneId) -> Result<()> {
        let record = Arc::new(record.clone());
        self.forget_lane(&record, lane).await;
        self.change(&record, lane, |_, _| ()).await?;
        self.stirred.notify_waiters();
        Ok(())
    }

    /// Whoever wants the lane next reads it anew.
    async fn forget_lane(&self, record: &SubscriptionRecord, lane: LaneId) {
        *self.pulls.of(record.id).lane(lane).seen.lock().await = None;
    }

    /// Learns what other processes have changed: what they have leased or settled counts here too.
    async fn look_at_versions(&self, record: &SubscriptionRecord, lanes: &Pulled) -> Result<()> {
        let looked = self.seam.clock().elapsed();
        for (_, lane, checkpoint) in self.stores.checkpoints.checkpoints(Some(record.id)).await? {
            lanes.learn(lane, checkpoint.version);
        }
        lanes.looked_at(looked);
        Ok(())
    }

    /// The lane as last seen, unless the store is known to have a later version; else as stored.
    async fn load(
        &self,
        seen: &mut Option<(Version, PullLane)>,
        lanes: &Pulled,
        record: &SubscriptionRecord,
        lane: LaneId,
    ) -> Result<Option<(Version, PullLane)>> {
        let asked = self.is_asked(record.id, lane);
        let known = lanes.lane(lane).known();
        let current = |(version, lane): &(Version, PullLane)| *version >= known && (!asked || lane.is_asked());
        if let Some(seen) = seen.take().filter(current) {
            return Ok(Some(seen));
        }
        let stored = self.stores.checkpoints.lane(record.id, lane).await?;
        Ok(stored.map(|stored| {
            lanes.learn(lane, stored.checkpoint.version);
            (stored.checkpoint.version, PullLane::of(&stored))
        }))
    }

    /// The record by which a lane is read. Another process may have changed the definition and told the lane before
    /// this one has heard of it: what the old definition leaves out would be passed by.
    async fn record_for(&self, record: &Arc<SubscriptionRecord>, pulled: &PullLane) -> Result<Arc<SubscriptionRecord>> {
        let told = pulled.segments().last().map_or(0, |segment| segment.revision);
        if told <= record.revision {
            return Ok(Arc::clone(record));
        }
        // Of one that is gone no commit will count.
        let newest = || Arc::clone(self.registry.load().get(record.id).unwrap_or(record));
        if newest().revision < told {
            self.reload().await?;
        }
        Ok(newest())
    }

    /// Stores what a call changed; false if another changed the lane meanwhile.
    async fn commit_pulled(
        &self,
        seen: &mut Option<(Version, PullLane)>,
        lanes: &Pulled,
        record: &Arc<SubscriptionRecord>,
        lane: LaneId,
        (version, mut pulled): (Version, PullLane),
        before: Seq,
    ) -> Result<bool> {
        let Some(plan) = pulled.plan(before, self.seam.random()) else {
            *seen = Some((version, pulled));
            return Ok(true);
        };
        let place =
            Place { stores: self.stores.clone(), seam: self.seam.clone(), subscription: Arc::clone(record), lane };
        let (struck, version) = (plan.requests.clone(), plan.checkpoint.version);
        match place.carry_out(plan, BTreeMap::new(), Some(PATIENCE)).await? {
            CommitOutcome::Done => {
                lanes.learn(lane, version);
                *seen = Some((version, pulled));
                self.strike(&struck);
                Ok(true)
            }
            CommitOutcome::Fenced(_) => Ok(false),
        }
    }

    /// Events leased and not settled, over all lanes.
    pub(crate) async fn leased(&self, record: &SubscriptionRecord) -> Result<u64> {
        let lanes = self.pulls.of(record.id);
        self.look_at_versions(record, &lanes).await?;
        let now = self.seam.steady();
        let mut leased = 0;
        for lane in (0..self.stores.log.lanes()).map(LaneId) {
            let mut seen = lanes.lane(lane).seen.lock().await;
            if let Some((version, pulled)) = self.load(&mut seen, &lanes, record, lane).await? {
                leased += pulled.leased(now);
                *seen = Some((version, pulled));
            }
        }
        Ok(leased)
    }
}

fn crowded(record: &SubscriptionRecord, lane: LaneId) -> Error {
    let detail = format!("lane {lane} of `{}` is changed by too many at once; try again", record.name);
    Error::new(ErrorKind::Overloaded, detail)
}
