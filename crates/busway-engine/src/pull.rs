use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use busway_core::{
    Body, CommitOutcome, Control, DeadCause, Entry, Epoch, Error, ErrorKind, Event, FieldError, Filter, KeyId, LaneId,
    Mode, Owner, Patterns, ReadRequest, Result, Seq, SubscriptionId, SubscriptionName, SubscriptionRecord, Timestamp,
    Version,
};
use tokio::sync::Mutex as AsyncMutex;

use crate::{
    Engine, Leased, Settled, Settlements,
    deliver::{Found, Place, Read},
    engine::Inner,
    lane::{
        Item, Policy,
        pull::{Lease, PullLane, Settling},
    },
};

/// How often a call starts again because another changed the lane, before it gives up.
const TRIES: usize = 64;
/// How long a call repeats a commit whose outcome is unknown before it tells its caller.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often a call that waits looks at what other processes have settled.
const LOOK: Duration = Duration::from_secs(1);

/// Lanes in mode `pull`, as last seen; the store's version tells whether that still holds.
#[derive(Debug, Default)]
pub(crate) struct PullLanes {
    lanes: Mutex<HashMap<(SubscriptionId, LaneId), Arc<Cached>>>,
    turn: AtomicUsize,
}

/// One lane, as last seen.
#[derive(Debug, Default)]
struct Cached {
    /// What the store has is at least this: another process may have changed the lane.
    known: Mutex<Version>,
    seen: AsyncMutex<Option<(Version, PullLane)>>,
}

impl Cached {
    fn known(&self) -> Version {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PullLanes {
    fn lane(&self, id: SubscriptionId, lane: LaneId) -> Arc<Cached> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(lanes.entry((id, lane)).or_default())
    }

    /// Forgets lanes of subscriptions that are gone.
    pub(crate) fn retain(&self, known: impl Fn(SubscriptionId) -> bool) {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner).retain(|(id, _), _| known(*id));
    }
}

/// A delivery as its id names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct DeliveryId {
    lane: LaneId,
    key: KeyId,
    seq: Seq,
    fence: u64,
    /// Of the log: one that was restored gives the same seqs and fences to other events.
    epoch: u64,
    /// It is one of the subscription's replay.
    replay: bool,
}

impl DeliveryId {
    fn of(lane: LaneId, lease: &Lease, epoch: Epoch, replay: bool) -> Self {
        Self { lane, key: lease.key, seq: lease.seq, fence: lease.fence, epoch: epoch.0, replay }
    }

    fn parse(text: &str) -> Option<Self> {
        let (text, replay) = match text.strip_prefix('r') {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        let mut parts = text.split('-');
        let mut next = || parts.next();
        let id = Self {
            lane: LaneId(u16::from_str_radix(next()?, 16).ok()?),
            seq: u64::from_str_radix(next()?, 16).ok()?,
            fence: u64::from_str_radix(next()?, 16).ok()?,
            key: KeyId(u128::from_str_radix(next()?, 16).ok()?),
            epoch: u64::from_str_radix(next()?, 16).ok()?,
            replay,
        };
        parts.next().is_none().then_some(id)
    }
}

impl std::fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}{:x}-{:x}-{:x}-{:x}-{:x}",
            if self.replay { "r" } else { "" },
            self.lane.0,
            self.seq,
            self.fence,
            self.key.0,
            self.epoch
        )
    }
}

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
        let mut ends: Vec<_> = (0..inner.stores.log.lanes()).map(|lane| inner.reader.watch(LaneId(lane))).collect();
        loop {
            let record = inner.pulled(owner, name).await?;
            for end in &mut ends {
                end.mark_seen();
            }
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
        inner.look_at_versions(&record).await?;
        if let Some(replay) = &replay {
            inner.look_at_versions(replay).await?;
        }
        let mut by_lane: BTreeMap<(bool, LaneId), Vec<(DeliveryId, usize)>> = BTreeMap::new();
        let (lanes, Epoch(epoch)) = (inner.stores.log.lanes(), inner.reader.epoch());
        for (index, (_, id, _)) in sent.iter().enumerate() {
            if let Some(id) = id.filter(|id| id.lane.0 < lanes && id.epoch == epoch) {
                by_lane.entry((id.replay, id.lane)).or_default().push((id, index));
            }
        }
        let lanes = by_lane.into_iter().filter_map(|((replayed, lane), mut ids)| {
            let sent = &sent;
            let record = if replayed { replay.as_ref()? } else { &record };
            // Per key by seq, extensions last: an event that is extended is not settled by the same call.
            ids.sort_by_key(|(id, index)| (matches!(sent[*index].2, Settling::Extend { .. }), *id));
            Some(async move {
                let settled = inner
                    .change(record, lane, |pulled, now| {
                        let backoff = |attempt| now + record.definition.retry.delay_after(attempt, inner.seam.chance());
                        let settle = |(id, index): &(DeliveryId, usize)| {
                            let settling = sent[*index].2.clone();
                            (*index, pulled.settle((id.key, id.seq, id.fence), settling, now, policy(record), backoff))
                        };
                        ids.iter().map(settle).collect::<Vec<_>>()
                    })
                    .await?;
                Ok::<_, Error>(settled)
            })
        });
        let mut settled = vec![false; sent.len()];
        for lane in futures::future::try_join_all(lanes).await? {
            for (index, done) in lane {
                settled[index] = done;
            }
        }
        inner.stirred.notify_waiters();
        Ok(sent.into_iter().zip(settled).map(|((id, ..), settled)| Settled { id, settled }).collect())
    }
}

fn policy(record: &SubscriptionRecord) -> Policy {
    Policy { attempts: record.definition.retry.attempts, on_dead: record.definition.on_dead }
}

/// The settlements in the order sent, with their ids read; an id twice is refused.
fn sent(settlements: Settlements, now: Timestamp) -> Result<Vec<(String, Option<DeliveryId>, Settling)>> {
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
    let mut seen = BTreeSet::new();
    let mut sent = Vec::new();
    let mut faults = Vec::new();
    for (id, settling) in ack.chain(retries).chain(dead).chain(extend) {
        if !seen.insert(id.clone()) {
            faults.push(FieldError::new("", "duplicate_id", format!("{id:?} is named twice")));
        }
        let parsed = DeliveryId::parse(&id);
        sent.push((id, parsed, settling));
    }
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

    /// One look at every lane, and when the next hold is due. Lanes are asked for an equal share first, and for
    /// the rest in turn if that was not enough.
    async fn pull_round(
        &self,
        record: &Arc<SubscriptionRecord>,
        max: usize,
    ) -> Result<(Vec<Leased>, Option<Timestamp>)> {
        self.look_at_versions(record).await?;
        // What was stored before the call is handed out by it, whether or not the reader has come to it.
        let heads = self.stores.log.heads().await?.seqs;
        let heads = &heads;
        let lanes = usize::from(self.stores.log.lanes());
        let first = self.pulls.turn.fetch_add(1, Ordering::Relaxed);
        let order = (0..lanes).map(|index| LaneId(((first + index) % lanes) as u16));
        let mut leased = Vec::new();
        let mut due: Option<Timestamp> = None;
        let share = max.div_ceil(lanes);
        let mut more = Vec::new();
        let asked = order.scan(max, |left, lane| {
            let quota = share.min(*left);
            *left -= quota;
            Some((lane, quota))
        });
        let rounds = asked.filter(|(_, quota)| *quota > 0).map(|(lane, quota)| async move {
            self.pull_lane(record, lane, heads[usize::from(lane.0)], quota).await.map(|got| (lane, quota, got))
        });
        for (lane, quota, (got, next)) in futures::future::try_join_all(rounds).await? {
            due = [due, next].into_iter().flatten().min();
            if got.len() == quota {
                more.push(lane);
            }
            leased.extend(got);
        }
        let untouched = (0..lanes).map(|index| LaneId(((first + index) % lanes) as u16)).skip(max.div_ceil(share));
        for lane in more.into_iter().chain(untouched) {
            if leased.len() >= max {
                break;
            }
            let (got, next) = self.pull_lane(record, lane, heads[usize::from(lane.0)], max - leased.len()).await?;
            due = [due, next].into_iter().flatten().min();
            leased.extend(got);
        }
        Ok((leased, due))
    }

    async fn pull_lane(
        &self,
        record: &Arc<SubscriptionRecord>,
        lane: LaneId,
        head: Seq,
        max: usize,
    ) -> Result<(Vec<Leased>, Option<Timestamp>)> {
        let cached = self.pulls.lane(record.id, lane);
        let mut seen = cached.seen.lock().await;
        for _ in 0..TRIES {
            let Some((version, mut pulled)) = self.load(&mut seen, cached.known(), record, lane).await? else {
                return Ok((Vec::new(), None));
            };
            let before = pulled.position();
            let now = self.seam.steady();
            let ends = now + record.definition.ack_timeout();
            pulled.carry_out(now);
            let mut leases = pulled.lease_due(now, max, ends, policy(record));
            let mut bodies: HashMap<Seq, Arc<Entry>> = HashMap::new();
            while leases.len() < max && pulled.held() < self.config.max_holds {
                let left = max - leases.len();
                let (reads, looked) = self.read_for(record, &pulled, lane, head, left).await?;
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
                let new = pulled.lease_new(&items, looked, left, ends);
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
            if self.commit_pulled(&mut seen, record, lane, (version, pulled), before).await? {
                return Ok((self.leased_of(record, lane, leases, bodies).await?, due));
            }
        }
        Err(Error::new(
            ErrorKind::Overloaded,
            format!("lane {lane} of `{}` is changed by too many at once; try again", record.name),
        ))
    }

    /// Changes a lane in mode `pull`, starting again until the change is made on what is stored.
    async fn change<T>(
        &self,
        record: &Arc<SubscriptionRecord>,
        lane: LaneId,
        change: impl Fn(&mut PullLane, Timestamp) -> T,
    ) -> Result<T>
    where
        T: Default,
    {
        let cached = self.pulls.lane(record.id, lane);
        let mut seen = cached.seen.lock().await;
        for _ in 0..TRIES {
            let Some((version, mut pulled)) = self.load(&mut seen, cached.known(), record, lane).await? else {
                return Ok(T::default());
            };
            let before = pulled.position();
            let now = self.seam.steady();
            pulled.carry_out(now);
            let result = change(&mut pulled, now);
            if self.commit_pulled(&mut seen, record, lane, (version, pulled), before).await? {
                return Ok(result);
            }
        }
        Err(Error::new(
            ErrorKind::Overloaded,
            format!("lane {lane} of `{}` is changed by too many at once; try again", record.name),
        ))
    }

    /// Carries out what is asked of a lane in mode `pull`.
    pub(crate) async fn carry_out_requests(&self, record: &SubscriptionRecord, lane: LaneId) -> Result<()> {
        let record = Arc::new(record.clone());
        *self.pulls.lane(record.id, lane).seen.lock().await = None;
        self.change(&record, lane, |_, _| ()).await?;
        self.stirred.notify_waiters();
        Ok(())
    }

    /// Learns what other processes have changed: what they have leased or settled counts here too.
    async fn look_at_versions(&self, record: &SubscriptionRecord) -> Result<()> {
        for (id, lane, checkpoint) in self.stores.checkpoints.checkpoints(Some(record.id)).await? {
            let cached = self.pulls.lane(id, lane);
            let mut known = cached.known.lock().unwrap_or_else(PoisonError::into_inner);
            *known = (*known).max(checkpoint.version);
        }
        Ok(())
    }

    /// The lane as last seen, unless the store is known to have a later version; else as stored.
    async fn load(
        &self,
        seen: &mut Option<(Version, PullLane)>,
        known: Version,
        record: &SubscriptionRecord,
        lane: LaneId,
    ) -> Result<Option<(Version, PullLane)>> {
        let asked = self.is_asked(record.id, lane);
        if let Some(seen) = seen.take().filter(|(version, lane)| *version >= known && (!asked || lane.is_asked())) {
            return Ok(Some(seen));
        }
        let stored = self.stores.checkpoints.lane(record.id, lane).await?;
        Ok(stored.map(|stored| (stored.checkpoint.version, PullLane::of(&stored))))
    }

    /// Stores what a call changed; false if another changed the lane meanwhile.
    async fn commit_pulled(
        &self,
        seen: &mut Option<(Version, PullLane)>,
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
                *seen = Some((version, pulled));
                self.strike(&struck);
                Ok(true)
            }
            CommitOutcome::Fenced(_) => Ok(false),
        }
    }

    async fn read_for(
        &self,
        record: &SubscriptionRecord,
        pulled: &PullLane,
        lane: LaneId,
        head: Seq,
        max: usize,
    ) -> Result<(Vec<Read>, Seq)> {
        let after = pulled.position();
        let segments = pulled.segments();
        let at = segments.iter().rposition(|segment| segment.from <= after + 1).unwrap_or(0);
        let revision = segments.get(at).map_or(record.revision, |segment| segment.revision);
        let last =
            record.replay.as_ref().and_then(|replay| replay.to.get(usize::from(lane.0)).copied()).unwrap_or(Seq::MAX);
        let until = segments.get(at + 1).map_or(Seq::MAX, |segment| segment.from - 1).min(last);
        if after >= until {
            return Ok((Vec::new(), after));
        }
        let earlier = record.earlier.iter().find(|(earlier, _)| *earlier == revision);
        let types: &Patterns = &earlier.map_or(&record.definition, |(_, definition)| definition).types;
        let tenant = record.owner.tenant();
        let wanted = |entry: &Arc<Entry>| match entry.event() {
            Some(event) => tenant.is_none_or(|tenant| *tenant == event.tenant) && types.matches(&event.event_type),
            None => true,
        };
        match self.reader.after(lane, after, max) {
            Found::AtEnd if head <= after => return Ok((Vec::new(), after)),
            Found::Entries(reads, looked) if looked <= until => {
                return Ok((reads.into_iter().filter(|read| wanted(&read.entry)).collect(), looked));
            }
            _ => {}
        }
        let filter = Filter { types: Some(Arc::new(types.clone())), tenant: tenant.cloned(), except: Vec::new() };
        let page = self.stores.log.read(ReadRequest { until, filter, ..ReadRequest::after(lane, after, max) }).await?;
        Ok((page.entries.into_iter().map(Read::of).collect(), page.looked))
    }

    /// What the puller gets: the leases with their events.
    async fn leased_of(
        &self,
        record: &Arc<SubscriptionRecord>,
        lane: LaneId,
        leases: Vec<Lease>,
        mut bodies: HashMap<Seq, Arc<Entry>>,
    ) -> Result<Vec<Leased>> {
        let missing: Vec<Seq> = leases
            .iter()
            .filter(|lease| !lease.again && !bodies.contains_key(&lease.seq))
            .map(|lease| lease.seq)
            .collect();
        if !missing.is_empty() {
            let fetched = self.stores.log.fetch(lane, &missing).await?;
            bodies.extend(fetched.into_iter().map(|entry| (entry.seq, entry)));
        }
        let mut leased = Vec::with_capacity(leases.len());
        for lease in leases {
            let entry = match bodies.remove(&lease.seq).filter(|_| !lease.again) {
                Some(entry) => entry,
                None => self.letter_entry(record, lane, lease.seq).await?,
            };
            leased.push(Leased {
                delivery_id: DeliveryId::of(lane, &lease, self.reader.epoch(), record.replay.is_some()).to_string(),
                attempt: lease.attempt,
                lease_ends_at: lease.ends,
                fence: lease.fence,
                replay: record.replay.as_ref().map(|replay| replay.operation),
                entry,
            });
        }
        Ok(leased)
    }

    /// The event of a retried dead letter, with its edited payload if it has one.
    async fn letter_entry(&self, record: &Arc<SubscriptionRecord>, lane: LaneId, seq: Seq) -> Result<Arc<Entry>> {
        let Some(letter) = self.stores.checkpoints.dead_letter_of(record.id, lane, seq).await? else {
            let place =
                Place { stores: self.stores.clone(), seam: self.seam.clone(), subscription: Arc::clone(record), lane };
            return place.entry(seq).await;
        };
        let (Some(payload), Some(event)) = (letter.edited_payload, letter.entry.event()) else {
            return Ok(letter.entry);
        };
        let body = Body::Event(Arc::new(Event { payload, ..Event::clone(event) }));
        Ok(Arc::new(Entry { body, ..Entry::clone(&letter.entry) }))
    }

    /// Events leased and not settled, over all lanes.
    pub(crate) async fn leased(&self, record: &SubscriptionRecord) -> Result<u64> {
        self.look_at_versions(record).await?;
        let now = self.seam.steady();
        let mut leased = 0;
        for lane in (0..self.stores.log.lanes()).map(LaneId) {
            let cached = self.pulls.lane(record.id, lane);
            let mut seen = cached.seen.lock().await;
            if let Some((version, pulled)) = self.load(&mut seen, cached.known(), record, lane).await? {
                leased += pulled.leased(now);
                *seen = Some((version, pulled));
            }
        }
        Ok(leased)
    }
}
