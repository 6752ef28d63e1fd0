use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use busway_core::{
    Body, Checkpoint, CommitOutcome, DeadCause, Entry, ErrorKind, Event, EventType, Filter, Order, Patterns,
    ReadRequest, Request, Result, Seq, SubscriptionRecord, TenantId, Timestamp, TurnId,
};
use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    AlonePermit, Found, Place, Read, Reader, Work,
    attempt::{Attempt, classify},
    backlog::{Backlog, Behind},
};
use crate::{
    Deadline, Delivery, Outcome,
    lane::{End, Item, Lane, Limits, Policy, ReadWish, Run},
    signal::Watcher,
};

/// Runs that end without waiting are run in place, so many at a time before commits and reads get their turn.
const IN_PLACE: usize = 1_024;
/// A handler that keeps the processor longer than this is given tasks of its own for a while.
const BRISK: Duration = Duration::from_micros(200);
/// For how many runs. Few, since it may have been the machine that took the processor away.
const SPAWNED: u32 = 100;

/// Of [`Shown::idle_until`]: not idle.
const BUSY: i64 = 0;

/// How a runner is spoken to.
pub(crate) struct LaneHandle {
    pub(crate) release: CancellationToken,
    /// Another has taken the lane.
    pub(crate) lost: CancellationToken,
    pub(crate) cancel: CancellationToken,
    pub(crate) shown: Arc<Shown>,
}

/// What a runner shows of its lane.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    pub(crate) running: AtomicU64,
    pub(crate) cursor: AtomicU64,
    pub(crate) broken: AtomicU64,
    pub(crate) saturated: AtomicU64,
    /// Until when nothing happens unless something comes, in milliseconds of [`Timestamp`]; [`BUSY`] while
    /// something does.
    pub(crate) idle_until: AtomicI64,
    /// The newest revision that the lane has adopted, confirmed.
    pub(crate) revision: AtomicU64,
    /// The fence by which the lane is held; 0 before it is surely taken.
    fence: AtomicU64,
}

impl Shown {
    /// Whether somebody has taken the lane since.
    pub(crate) fn is_fenced_by(&self, checkpoint: &Checkpoint) -> bool {
        let fence = self.fence.load(Ordering::Acquire);
        fence != 0 && checkpoint.version.fence > fence
    }
}

/// How a runner ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It gave the lane back.
    Released,
    /// The lane is another's.
    Lost,
    /// The lane could not be read; try again.
    Failed,
}

/// What a runner works with.
pub(crate) struct Runner {
    pub(crate) place: Place,
    pub(crate) work: Arc<Work>,
    pub(crate) reader: Arc<Reader>,
    pub(crate) limits: Limits,
    pub(crate) member: busway_core::MemberId,
    /// The fence by which the lane was free to be taken.
    pub(crate) fence: u64,
    pub(crate) alone: AlonePermit,
    pub(crate) tasks: TaskTracker,
    pub(crate) release: CancellationToken,
    pub(crate) lost: CancellationToken,
    pub(crate) cancel: CancellationToken,
    pub(crate) shown: Arc<Shown>,
    /// Told when the runner has become idle, has adopted a revision or ended.
    pub(crate) stirred: Arc<tokio::sync::Notify>,
}

/// What happened.
enum Happened {
    Ended(Run<Arc<Entry>>, Outcome, bool),
    Read(ReadWish, Result<(Vec<Read>, Seq)>),
    Committed(Result<CommitOutcome>),
    Alone(Option<OwnedSemaphorePermit>),
    Slot(Option<OwnedSemaphorePermit>),
    Requests(Result<Vec<Request>>),
    Begun(Box<Run<Arc<Entry>>>, Result<(Arc<Entry>, Option<Arc<Event>>)>, Option<OwnedSemaphorePermit>),
}

/// A lane in work: the state machine and what is under way for it.
struct Shift {
    runner: Runner,
    lane: Lane<Arc<Entry>>,
    record: Arc<SubscriptionRecord>,
    /// Which patterns decide from which seq on.
    patterns: Vec<(Seq, Patterns)>,
    memo: HashMap<EventType, bool, foldhash::fast::RandomState>,
    tenants: BTreeMap<TurnId, TenantId>,
    under_way: FuturesUnordered<BoxFuture<'static, Happened>>,
    ended: mpsc::UnboundedSender<Happened>,
    inbox: mpsc::UnboundedReceiver<Happened>,
    /// A read that waits for the lane's end to move.
    at_end: Option<ReadWish>,
    end: Watcher,
    /// While the lane's reader has moved on further than we have read.
    behind: Option<Behind>,
    changed: Watcher,
    alone: Option<OwnedSemaphorePermit>,
    asking_alone: bool,
    slot: Option<OwnedSemaphorePermit>,
    asking_slot: bool,
    unfit: bool,
    /// When the last run in place ended, by the clock, or whatever was done before the next.
    lately: Duration,
    spawn: u32,
    /// The revision of the commit under way.
    adopting: u64,
}

impl Runner {
    /// Takes the lane, unless another was quicker, and works on it until it is given back or lost.
    pub(crate) async fn run(self) -> Ended {
        let stirred = Arc::clone(&self.stirred);
        let shown = Arc::clone(&self.shown);
        let ended = match self.begin().await {
            Ok(Some(shift)) => shift.work().await,
            Ok(None) => Ended::Lost,
            Err(error) => {
                tracing::warn!(%error, "a lane cannot be taken");
                Ended::Failed
            }
        };
        shown.idle_until.store(i64::MAX, Ordering::Release);
        stirred.notify_waiters();
        ended
    }

    async fn begin(self) -> Result<Option<Shift>> {
        let record = self.work.record();
        let stores = &self.place.stores;
        let Some(stored) = stores.checkpoints.lane(record.id, self.place.lane).await? else { return Ok(None) };
        if stored.checkpoint.version.fence != self.fence {
            return Ok(None);
        }
        let heads = stores.log.heads().await?;
        let end = heads.seqs[usize::from(self.place.lane.0)].min(self.work.last(self.place.lane));
        let now = self.place.seam.steady();
        let lane = Lane::take(&stored, self.member, end, self.limits, policy(&record), now);
        let tenants = stored.turns.iter().map(|turn| (turn.turn, turn.tenant.clone())).collect();
        let (ended, inbox) = mpsc::unbounded_channel();
        let mut shift = Shift {
            end: self.reader.watch(self.place.lane),
            behind: None,
            changed: self.work.changed.watch(),
            lane,
            patterns: Vec::new(),
            memo: HashMap::default(),
            tenants,
            under_way: FuturesUnordered::new(),
            ended,
            inbox,
            at_end: None,
            alone: None,
            asking_alone: false,
            slot: None,
            asking_slot: false,
            unfit: false,
            lately: Duration::ZERO,
            spawn: 0,
            adopting: 0,
            record,
            runner: self,
        };
        shift.look_at_segments();
        Ok(Some(shift))
    }
}

fn policy(record: &SubscriptionRecord) -> Policy {
    Policy { attempts: record.definition.retry.attempts, on_dead: record.definition.on_dead }
}

impl Shift {
    async fn work(mut self) -> Ended {
        self.changes();
        loop {
            // What falls due during the turn is still to come.
            let before = self.runner.place.seam.steady();
            self.turn();
            if self.lane.is_lost() {
                self.runner.cancel.cancel();
                if self.lane.running() == 0 {
                    return Ended::Lost;
                }
            }
            if self.lane.is_released() {
                return Ended::Released;
            }
            let sleep = match self.lane.deadline(before) {
                Some(due) => self.runner.place.seam.clock().sleep(due.since(self.runner.place.seam.steady())),
                None => Box::pin(std::future::pending()),
            };
            // Whoever sees the lane idle sees it sleep: a held clock moves on to when it wakes.
            self.show();
            let happened = tokio::select! {
                biased;
                Some(happened) = self.inbox.recv() => Some(happened),
                Some(happened) = self.under_way.next(), if !self.under_way.is_empty() => Some(happened),
                () = self.runner.lost.cancelled(), if !self.lane.is_lost() => { self.lose(); None }
                () = self.runner.release.cancelled(), if !self.unfit => { self.unfit = true; self.lane.release(); None }
                () = self.changed.changed() => { self.changes(); None }
                () = self.end.changed(), if self.at_end.is_some() => None,
                () = sleep => None,
            };
            self.busy();
            if let Some(happened) = happened {
                self.take_in(happened);
                while let Ok(happened) = self.inbox.try_recv() {
                    self.take_in(happened);
                }
            }
        }
    }

    /// Does everything that can be done now without waiting.
    fn turn(&mut self) {
        let seam = self.runner.place.seam.clone();
        self.lane.tick(seam.steady());
        loop {
            let now = seam.steady();
            let ran = self.start_runs(now);
            let committed = self.start_commit(now);
            let read = self.start_read();
            if self.lane.returns_permit(now) {
                self.alone = None;
            }
            if !self.asking_alone && self.lane.wants_permit(now) {
                self.asking_alone = true;
                let permit = self.runner.alone.clone();
                self.under_way.push(permit.acquire().map(Happened::Alone).boxed());
            }
            if !ran && !committed && !read {
                return;
            }
        }
    }

    fn start_runs(&mut self, now: Timestamp) -> bool {
        self.lately = self.runner.place.seam.clock().elapsed();
        for count in 0..IN_PLACE {
            if self.slot.is_none() {
                self.slot = Arc::clone(&self.runner.work.slots).try_acquire_owned().ok();
            }
            if self.slot.is_none() {
                if !self.asking_slot && self.lane.has_ready() {
                    self.asking_slot = true;
                    let slots = Arc::clone(&self.runner.work.slots);
                    self.under_way.push(slots.acquire_owned().map(|slot| Happened::Slot(slot.ok())).boxed());
                }
                return count > 0;
            }
            let Some(run) = self.lane.next_run(now) else {
                self.slot = None;
                return count > 0;
            };
            self.start(run);
        }
        true
    }

    fn start(&mut self, mut run: Run<Arc<Entry>>) {
        match run.body.take().filter(|_| !run.again) {
            Some(entry) => {
                let event = entry.event().cloned();
                self.run(run, &entry, event);
            }
            None => self.fetch(run, Duration::ZERO),
        }
    }

    /// Reads the event of a run, after a while.
    fn fetch(&mut self, run: Run<Arc<Entry>>, after: Duration) {
        let place = self.runner.place.clone();
        let slot = self.slot.take();
        self.under_way.push(
            async move {
                place.seam.clock().sleep(after).await;
                let fetched = fetch(&place, &run).await;
                Happened::Begun(Box::new(run), fetched, slot)
            }
            .boxed(),
        );
    }

    fn run(&mut self, run: Run<Arc<Entry>>, entry: &Arc<Entry>, event: Option<Arc<Event>>) {
        let seam = &self.runner.place.seam;
        let event = match (event, &entry.body) {
            (Some(event), _) => event,
            (None, Body::Undecodable(undecodable)) => {
                let end = End::Dead { cause: DeadCause::Undecodable, error: undecodable.error.as_str().into() };
                let now = seam.steady();
                return self.lane.outcome(&run, end, now);
            }
            (None, Body::Event(event)) => Arc::clone(event),
        };
        let definition = &self.record.definition;
        let delivery = Delivery {
            event,
            stored_at: entry.stored_at,
            owner: self.record.owner.clone(),
            subscription: self.record.name.clone(),
            attempt: run.attempt,
            fence: self.lane.stored().version.fence,
            replay: self.record.replay.as_ref().map(|replay| replay.operation),
            deadline: Deadline::after_start(definition.ack_timeout()),
        };
        let handler = Arc::clone(&self.runner.work.handler);
        let mut attempt = Attempt::begin(handler, delivery, self.lately);
        if self.spawn == 0 {
            let outcome = attempt.poll_now();
            let ended = seam.clock().elapsed();
            let now = seam.steady_at(ended);
            if ended.saturating_sub(std::mem::replace(&mut self.lately, ended)) > BRISK {
                self.spawn = SPAWNED;
            }
            if let Some(outcome) = outcome {
                return self.ended(&run, outcome, now);
            }
        } else {
            self.spawn -= 1;
        }
        let slot = self.slot.take();
        let (ended, cancel, seam) = (self.ended.clone(), self.runner.cancel.clone(), seam.clone());
        self.runner.tasks.spawn(async move {
            let outcome = attempt.finish(seam, cancel).await;
            drop(slot);
            let (outcome, cancelled) = match outcome {
                Some(outcome) => (outcome, false),
                None => (Outcome::Done, true),
            };
            // The runner waits for every run it has started.
            let _ = ended.send(Happened::Ended(run, outcome, cancelled));
        });
    }

    fn ended(&mut self, run: &Run<Arc<Entry>>, outcome: Outcome, now: Timestamp) {
        if let Outcome::Retry { error, .. } | Outcome::Dead { error } = &outcome {
            tracing::warn!(
                subscription = %self.record.name, owner = %self.record.owner, lane = %self.runner.place.lane, seq = run.seq,
                attempt = run.attempt, error, "delivery failed"
            );
        }
        let end = classify(outcome, run.attempt, &self.record.definition.retry, now, &self.runner.place.seam);
        self.lane.outcome(run, end, now);
    }

    fn start_commit(&mut self, now: Timestamp) -> bool {
        let Some(plan) = self.lane.poll_commit(now, self.runner.place.seam.random()) else { return false };
        self.name_turns();
        self.look_at_segments();
        self.adopting = self.lane.stored().segments.last().map_or(0, |segment| segment.revision);
        let tenants =
            plan.turns.iter().filter_map(|(turn, ..)| Some((*turn, self.tenants.get(turn)?.clone()))).collect();
        let place = self.runner.place.clone();
        self.under_way.push(place.carry_out(plan, tenants, None).map(Happened::Committed).boxed());
        true
    }

    fn start_read(&mut self) -> bool {
        if self.at_end.take().is_some_and(|wish| self.read_on(wish)) {
            return true;
        }
        // The lane's own wish may wait at the end; held tenants have wishes of their own.
        while let Some(wish) = self.lane.poll_read() {
            if self.read_on(wish) {
                return true;
            }
        }
        false
    }

    /// Held tenants are read by their names, which their first events tell.
    fn name_turns(&mut self) {
        for turn in self.lane.held_turns() {
            if !self.tenants.contains_key(&turn) {
                let tenant = self.lane.body_of(turn).and_then(|entry| entry.event()).map(|event| event.tenant.clone());
                self.tenants.extend(tenant.map(|tenant| (turn, tenant)));
            }
        }
    }

    /// Reads by a wish; false if it has to wait for the lane's end to move.
    fn read_on(&mut self, wish: ReadWish) -> bool {
        self.name_turns();
        let cut = self.patterns.iter().map(|(from, _)| *from).find(|from| *from > wish.after + 1).map(|from| from - 1);
        let last = self.runner.work.last(self.runner.place.lane);
        let until = wish.until.min(cut.unwrap_or(Seq::MAX)).min(last);
        if wish.turn.is_none() && wish.after >= last {
            // A replay has come to its end.
            self.at_end = Some(wish);
            return false;
        }
        if wish.turn.is_none() && self.record.replay.is_none() {
            match self.runner.reader.after(self.runner.place.lane, wish.after, wish.max) {
                Found::AtEnd => {
                    self.behind = None;
                    self.at_end = Some(wish);
                    return false;
                }
                Found::Entries(entries, looked) => {
                    self.behind = None;
                    let (entries, looked) = cut_off((entries, looked), until);
                    self.took(wish, entries, looked);
                    return true;
                }
                Found::Behind => {
                    let (reader, lane) = (&self.runner.reader, self.runner.place.lane);
                    let behind = self.behind.get_or_insert_with(|| reader.fall_behind(lane));
                    if let Some(backlog) = behind.shared() {
                        self.read_with_others(backlog, wish, until);
                        return true;
                    }
                }
            }
        }
        let request = ReadRequest {
            until,
            max_bytes: wish.max_bytes,
            filter: Filter {
                types: Some(Arc::new(self.patterns_at(wish.after + 1).clone())),
                tenant: match wish.turn {
                    Some(turn) => self.tenants.get(&turn).cloned(),
                    None => self.record.owner.tenant().cloned(),
                },
                except: match wish.turn {
                    Some(_) => Vec::new(),
                    None => self.lane.held_turns().filter_map(|turn| self.tenants.get(&turn).cloned()).collect(),
                },
            },
            ..ReadRequest::after(self.runner.place.lane, wish.after, wish.max)
        };
        let (place, clock) = (self.runner.place.clone(), Arc::clone(self.runner.place.seam.clock()));
        self.under_way.push(
            async move {
                let page = place.stores.log.read(request).await;
                if page.is_err() {
                    clock.sleep(Duration::from_millis(100)).await;
                }
                Happened::Read(wish, page.map(|page| (page.entries.into_iter().map(Read::of).collect(), page.looked)))
            }
            .boxed(),
        );
        true
    }

    /// Reads whatever comes, since others want it too, though perhaps not the same of it.
    fn read_with_others(&mut self, backlog: Arc<Backlog>, wish: ReadWish, until: Seq) {
        let (place, clock) = (self.runner.place.clone(), Arc::clone(self.runner.place.seam.clock()));
        self.under_way.push(
            async move {
                let found = backlog.after(&place.stores.log, place.lane, wish.after, wish.max).await;
                if found.is_err() {
                    clock.sleep(Duration::from_millis(100)).await;
                }
                Happened::Read(wish, found.map(|found| cut_off(found, until)))
            }
            .boxed(),
        );
    }

    /// What was read goes to the lane, unless the handler cannot handle it: then the lane is given back.
    fn took(&mut self, wish: ReadWish, mut entries: Vec<Read>, looked: Seq) {
        entries.retain(|read| self.wanted(&read.entry));
        let handler = &self.runner.work.handler;
        let unfit =
            entries.iter().filter_map(|read| read.entry.event()).find(|event| !handler.handles(&event.event_type));
        if let Some(event) = unfit {
            tracing::warn!(
                subscription = %self.record.name, event_type = %event.event_type,
                "no handler for this type here: the lane is given back"
            );
            self.runner.work.unfit.store(true, Ordering::Release);
            self.runner.stirred.notify_waiters();
            self.lane.read_failed(wish);
            self.unfit = true;
            return self.lane.release();
        }
        let order = self.record.definition.order;
        let items = entries.into_iter().map(|read| {
            let key = if order == Order::Key { read.key } else { read.entry.key_id(order) };
            (Item { seq: read.entry.seq, key, turn: read.turn, size: read.size }, read.entry)
        });
        self.lane.read(wish, items, looked);
    }

    fn wanted(&mut self, entry: &Entry) -> bool {
        let Some(event) = entry.event() else { return true };
        if self.record.owner.tenant().is_some_and(|tenant| *tenant != event.tenant) {
            return false;
        }
        if self.patterns.len() > 1 {
            return self.patterns_at(entry.seq).matches(&event.event_type);
        }
        match self.memo.get(&event.event_type) {
            Some(wanted) => *wanted,
            None => {
                let wanted = self.patterns_at(entry.seq).matches(&event.event_type);
                if self.memo.len() < 4_096 {
                    self.memo.insert(event.event_type.clone(), wanted);
                }
                wanted
            }
        }
    }

    fn patterns_at(&self, seq: Seq) -> &Patterns {
        let at = self.patterns.iter().rev().find(|(from, _)| *from <= seq).or(self.patterns.first());
        at.map_or(&self.record.definition.types, |(_, patterns)| patterns)
    }

    /// Which patterns decide from where on, after the segments or the record have changed.
    fn look_at_segments(&mut self) {
        let segments = &self.lane.stored().segments;
        let patterns = |revision: u64| {
            let earlier = self.record.earlier.iter().find(|(earlier, _)| *earlier == revision);
            earlier.map_or(&self.record.definition, |(_, definition)| definition).types.clone()
        };
        let patterns: Vec<_> = segments.iter().map(|segment| (segment.from, patterns(segment.revision))).collect();
        if patterns != self.patterns {
            self.patterns = patterns;
            self.memo.clear();
        }
    }

    /// The record or the requests have changed.
    fn changes(&mut self) {
        self.record = self.runner.work.record();
        self.runner.place.subscription = Arc::clone(&self.record);
        self.lane.pause(self.runner.work.is_paused());
        self.lane.adopt(policy(&self.record));
        self.look_at_segments();
        if self.runner.work.is_asked(self.runner.place.lane) {
            self.ask_requests();
        }
    }

    /// Requests are read afresh once the lane is surely ours: only its holder strikes them off.
    fn ask_requests(&mut self) {
        if self.lane.is_taking() {
            return;
        }
        let checkpoints = Arc::clone(&self.runner.place.stores.checkpoints);
        self.under_way.push(async move { Happened::Requests(checkpoints.requests().await) }.boxed());
    }

    fn take_in(&mut self, happened: Happened) {
        let seam = &self.runner.place.seam;
        self.lately = seam.clock().elapsed();
        let now = seam.steady_at(self.lately);
        match happened {
            Happened::Ended(run, _, true) => self.lane.outcome(&run, End::Cancelled, now),
            Happened::Ended(run, outcome, false) => self.ended(&run, outcome, now),
            Happened::Read(wish, Ok((entries, looked))) => self.took(wish, entries, looked),
            Happened::Read(wish, Err(error)) => {
                tracing::warn!(%error, subscription = %self.record.name, "the log cannot be read, trying again");
                self.lane.read_failed(wish);
            }
            Happened::Requests(Ok(requests)) => {
                let (id, lane) = (self.record.id, self.runner.place.lane);
                self.lane.requested(
                    requests.into_iter().filter(|request| request.subscription == id && request.lane == lane),
                );
            }
            Happened::Requests(Err(error)) => {
                tracing::warn!(%error, subscription = %self.record.name, "requests cannot be read, trying again");
                let clock = Arc::clone(self.runner.place.seam.clock());
                let checkpoints = Arc::clone(&self.runner.place.stores.checkpoints);
                self.under_way.push(
                    async move {
                        clock.sleep(Duration::from_millis(100)).await;
                        Happened::Requests(checkpoints.requests().await)
                    }
                    .boxed(),
                );
            }
            Happened::Committed(Ok(CommitOutcome::Done)) => {
                let taken = self.lane.is_taking();
                self.lane.confirm();
                if taken && self.runner.work.is_asked(self.runner.place.lane) {
                    self.ask_requests();
                }
                if self.runner.shown.revision.swap(self.adopting, Ordering::AcqRel) != self.adopting {
                    self.runner.stirred.notify_waiters();
                }
            }
            Happened::Committed(Ok(CommitOutcome::Fenced(_)) | Err(_)) => {
                self.lose();
            }
            Happened::Alone(permit) => {
                self.asking_alone = false;
                if permit.is_some() {
                    self.alone = permit;
                    self.lane.grant();
                }
            }
            Happened::Slot(slot) => {
                self.asking_slot = false;
                self.slot = slot;
            }
            Happened::Begun(run, fetched, slot) => {
                self.slot = self.slot.take().or(slot);
                match fetched {
                    Ok((entry, event)) => self.run(*run, &entry, event),
                    Err(error) if error.kind() == ErrorKind::PositionLost => {
                        let end = End::Dead { cause: DeadCause::Undecodable, error: error.to_string().into() };
                        self.lane.outcome(&run, end, now);
                    }
                    // The handler has not run, so nothing is charged to the event.
                    Err(error) => {
                        tracing::warn!(%error, subscription = %self.record.name, "an event cannot be read, trying again");
                        self.fetch(*run, Duration::from_millis(100));
                    }
                }
            }
        }
    }

    fn lose(&mut self) {
        tracing::info!(subscription = %self.record.name, lane = %self.runner.place.lane, "the lane is another's");
        self.lane.fenced();
    }

    fn busy(&self) {
        self.runner.shown.idle_until.store(BUSY, Ordering::Release);
    }

    fn show(&self) {
        let shown = &self.runner.shown;
        shown.running.store(self.lane.running() as u64, Ordering::Relaxed);
        shown.cursor.store(self.lane.cursor(), Ordering::Release);
        shown.broken.store(self.lane.is_broken().into(), Ordering::Relaxed);
        if !self.lane.is_taking() {
            shown.fence.store(self.lane.stored().version.fence, Ordering::Release);
        }
        shown.saturated.store(self.lane.is_saturated().into(), Ordering::Relaxed);
        let now = self.runner.place.seam.steady();
        let idle = self.lane.is_idle(now) && (self.at_end.is_some() || self.runner.work.is_paused());
        let until = self.lane.deadline(now).map_or(i64::MAX, Timestamp::as_millis);
        if idle && shown.idle_until.swap(until, Ordering::AcqRel) == BUSY {
            self.runner.stirred.notify_waiters();
        }
    }
}

/// What was found, no further than `until`.
fn cut_off((mut entries, looked): (Vec<Read>, Seq), until: Seq) -> (Vec<Read>, Seq) {
    if looked > until {
        entries.retain(|read| read.entry.seq <= until);
    }
    (entries, looked.min(until))
}

/// The entry of a hold's run; of a retried dead letter also the event with its edited payload.
async fn fetch(place: &Place, run: &Run<Arc<Entry>>) -> Result<(Arc<Entry>, Option<Arc<Event>>)> {
    let letter = match run.again {
        true => place.stores.checkpoints.dead_letter_of(place.subscription.id, place.lane, run.seq).await?,
        false => None,
    };
    match letter {
        Some(letter) => {
            let event = letter.entry.event().map(|event| match letter.edited_payload {
                Some(payload) => Arc::new(Event { payload, ..Event::clone(event) }),
                None => Arc::clone(event),
            });
            Ok((letter.entry, event))
        }
        None => {
            let entry = place.entry(run.seq).await?;
            let event = entry.event().cloned();
            Ok((entry, event))
        }
    }
}
