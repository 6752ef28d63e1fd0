//! The work of a [`Runner`] on a lane: the state machine and what is under way for it.

mod reading;
mod running;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use busway_core::{
    CommitOutcome, DeadCause, Entry, Error, ErrorKind, Event, EventType, Patterns, Request, RequestKind, Result, Seq,
    SubscriptionRecord, TenantId, Timestamp, TurnId,
};
use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::{Ended, Read, Runner, backlog::Behind, runner::BUSY};
use crate::{
    Deadline, Outcome,
    lane::{End, Lane, Policy, ReadWish, Run},
    signal::Watcher,
};

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
pub(super) struct Shift {
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
    /// When the clock was last looked at.
    lately: Duration,
    /// Runs in place since, and after how many it is looked at again.
    unclocked: u32,
    stride: u32,
    /// Such a run was slow the last time.
    slow: bool,
    /// Of a run that has ended, for the next.
    deadline: Option<Deadline>,
    /// Runs that are still to be given tasks of their own.
    spawn: u32,
    /// The revision of the commit under way.
    adopting: u64,
}

/// A definition that is not known here yet cannot be read by. It stays asked, and so does what was asked after it: the lane looks
/// again when its record has changed.
fn is_known(request: &Request, record: &SubscriptionRecord) -> bool {
    !matches!(request.kind, RequestKind::Redefine { revision, .. } if revision > record.revision)
}

impl Shift {
    /// Takes up a lane; `None` if it is gone, or was taken by another.
    pub(super) async fn begin(runner: Runner) -> Result<Option<Self>> {
        let record = runner.work.record();
        let stores = &runner.place.stores;
        let Some(stored) = stores.checkpoints.lane(record.id, runner.place.lane).await? else { return Ok(None) };
        if stored.checkpoint.version.fence != runner.fence {
            return Ok(None);
        }
        // Whoever asked for a definition counts on the next holder to go by it from the start.
        let told = stored.checkpoint.segments.last().map_or(0, |segment| segment.revision);
        if told > record.revision || !stored.requests.iter().all(|request| is_known(request, &record)) {
            let detail = format!("the definition of `{}` is newer than what is known here", record.name);
            return Err(Error::new(ErrorKind::Busy, detail));
        }
        let heads = stores.log.heads().await?;
        let end = heads.seqs[usize::from(runner.place.lane.0)].min(runner.work.last(runner.place.lane));
        let now = runner.place.seam.steady();
        let lane = Lane::take(&stored, runner.member, end, runner.limits, policy(&record), now);
        let tenants = stored.turns.iter().map(|turn| (turn.turn, turn.tenant.clone())).collect();
        let (ended, inbox) = mpsc::unbounded_channel();
        let mut shift = Self {
            end: runner.reader.watch(runner.place.lane),
            behind: None,
            changed: runner.work.changed.watch(),
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
            unclocked: 0,
            stride: 1,
            deadline: None,
            slow: false,
            spawn: 0,
            adopting: 0,
            record,
            runner,
        };
        shift.look_at_segments();
        Ok(Some(shift))
    }

    pub(super) async fn work(mut self) -> Ended {
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
                let of_lane = requests.into_iter().filter(|request| request.subscription == id && request.lane == lane);
                self.lane.requested(of_lane.take_while(|request| is_known(request, &self.record)));
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

fn policy(record: &SubscriptionRecord) -> Policy {
    Policy { attempts: record.definition.retry.attempts, on_dead: record.definition.on_dead }
}
