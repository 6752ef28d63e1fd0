mod single;

use std::{
    collections::VecDeque,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use busway_core::{Appended, Error, ErrorKind, Event, Log, Result, Seam, lane_of};
use futures::FutureExt;
use single::Single;
use tokio::{
    runtime::Handle,
    sync::{Semaphore, oneshot},
};
use tokio_util::task::TaskTracker;

/// How often an append whose outcome is unknown, or that failed for a while, is repeated before its
/// publishers are told.
const REPEATS: u32 = 8;

/// Group commit: what publishers bring while one append is under way goes with the next.
///
/// Appends that run side by side are of different lanes as far as they can be: a store that locks lanes would only make
/// them wait for each other. Within a line they go in the order in which they were brought.
pub(crate) struct Appender {
    queue: Mutex<Queue>,
    room: Arc<Semaphore>,
    queue_size: usize,
    batch: usize,
    /// Appends that may be under way at once, of each line.
    parallel: usize,
    log: Arc<dyn Log>,
    seam: Seam,
    tasks: TaskTracker,
}

struct Queue {
    lines: Vec<Line>,
    closed: bool,
}

/// What waits, of some of the lanes or of all.
#[derive(Default)]
struct Line {
    groups: VecDeque<Group>,
    /// What came when nothing else did, until a lead comes to wait for it.
    single: Option<Arc<Single>>,
    /// Leads at work.
    leads: usize,
}

/// The events of one publisher: all or none.
struct Group {
    events: Vec<Arc<Event>>,
    reply: oneshot::Sender<Result<Vec<Appended>>>,
}

impl Appender {
    pub(crate) fn new(batch: usize, queue_size: usize, log: Arc<dyn Log>, seam: Seam, tasks: TaskTracker) -> Self {
        let (lanes, parallel) = (log.lanes(), log.capabilities().parallel_appends.max(1));
        let lines = if usize::from(lanes) < parallel { 1 } else { parallel };
        Self {
            queue: Mutex::new(Queue { lines: (0..lines).map(|_| Line::default()).collect(), closed: false }),
            room: Arc::new(Semaphore::new(queue_size)),
            queue_size,
            batch: batch.max(1),
            parallel: parallel / lines,
            log,
            seam,
            tasks,
        }
    }

    /// Stores the events, all or none; waits while too many wait already.
    pub(crate) async fn append(self: &Arc<Self>, events: Vec<Arc<Event>>) -> Result<Vec<Appended>> {
        let closed = || Error::new(ErrorKind::Closed, "the bus is shut down");
        let weight = u32::try_from(events.len().min(self.queue_size)).unwrap_or(u32::MAX);
        let _room = self.room.acquire_many(weight).await.map_err(|_| closed())?;
        let (reply, answer) = oneshot::channel();
        let line = self.line_of(&events);
        let single = {
            let mut queue = self.lock();
            if queue.closed {
                return Err(closed());
            }
            let at = line % queue.lines.len();
            let line = &mut queue.lines[at];
            let group = Group { events, reply };
            if line.is_idle() {
                let single = self.single(group);
                line.single = Some(Arc::clone(&single));
                Some(InPerson { appender: self, at, single })
            } else {
                line.groups.push_back(group);
                if line.leads < self.parallel {
                    self.lead(line, at);
                }
                None
            }
        };
        if let Some(in_person) = single {
            in_person.single.carry_out().await;
        }
        answer.await.unwrap_or_else(|_| {
            let detail = "a defect ended the append; repeat it with the same ids";
            Err(Error::new(ErrorKind::OutcomeUnknown, detail))
        })
    }

    /// Refuses what comes from now on; what came before is still stored.
    pub(crate) fn close(self: &Arc<Self>) {
        let mut queue = self.lock();
        queue.closed = true;
        for (at, line) in queue.lines.iter_mut().enumerate() {
            if line.single.is_some() {
                self.lead(line, at);
            }
        }
    }

    /// A publisher's events go together, so the first one's lane counts.
    fn line_of(&self, events: &[Arc<Event>]) -> usize {
        let lane = |event: &Arc<Event>| lane_of(&event.tenant, event.key.as_ref(), &event.event_type, self.log.lanes());
        events.first().map_or(0, |event| usize::from(lane(event).0))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn single(self: &Arc<Self>, group: Group) -> Arc<Single> {
        let appender = Arc::clone(self);
        Arc::new(Single::new(async move { appender.store_safely(vec![group]).await }.boxed()))
    }

    /// Appends what waits in a line in a task of its own: a publisher may go away, or stand still, and those behind it
    /// may not have to.
    fn lead(self: &Arc<Self>, line: &mut Line, at: usize) {
        line.leads += 1;
        let (appender, single) = (Arc::clone(self), line.single.take());
        self.tasks.spawn(async move {
            if let Some(single) = single {
                single.take_over().await;
            }
            while let Some(groups) = appender.next(at) {
                let several = groups.len() > 1;
                appender.store_safely(groups).await;
                if several {
                    // Whoever was answered just now gets to bring the next before the batch is closed.
                    tokio::task::yield_now().await;
                }
            }
        });
    }

    fn next(&self, at: usize) -> Option<Vec<Group>> {
        let mut queue = self.lock();
        let line = &mut queue.lines[at];
        let mut groups = Vec::new();
        let mut events = 0;
        while let Some(group) = line.groups.front() {
            if !groups.is_empty() && events + group.events.len() > self.batch {
                break;
            }
            events += group.events.len();
            groups.extend(line.groups.pop_front());
        }
        if groups.is_empty() {
            line.leads -= 1;
            return None;
        }
        Some(groups)
    }

    /// As [`store`](Self::store); if a defect ends it, those who wait are told and the next batch goes on.
    async fn store_safely(&self, groups: Vec<Group>) {
        if AssertUnwindSafe(self.store(groups)).catch_unwind().await.is_err() {
            tracing::error!("a defect ended an append");
        }
    }

    /// Stores several publishers' events in one append; if one of them brings what the store refuses, each
    /// publisher's on their own.
    async fn store(&self, mut groups: Vec<Group>) {
        if groups.len() == 1 {
            if let Some(group) = groups.pop() {
                let result = self.repeat(&group.events).await;
                // The publisher may have gone away; the events are stored all the same.
                let _ = group.reply.send(result);
            }
            return;
        }
        let all: Vec<Arc<Event>> = groups.iter().flat_map(|group| group.events.iter().cloned()).collect();
        match self.repeat(&all).await {
            Ok(appended) => {
                let mut appended = appended.into_iter();
                for group in groups {
                    let own = appended.by_ref().take(group.events.len()).collect();
                    let _ = group.reply.send(Ok(own));
                }
            }
            Err(error) if error.is_temporary() => {
                for group in groups {
                    let again = Error::new(error.kind(), error.detail()).with_status(error.status());
                    let _ = group.reply.send(Err(again));
                }
            }
            Err(_) => {
                for group in groups {
                    let result = self.repeat(&group.events).await;
                    let _ = group.reply.send(result);
                }
            }
        }
    }

    /// Appends, and repeats with the same ids what failed for a while or has an unknown outcome.
    async fn repeat(&self, events: &[Arc<Event>]) -> Result<Vec<Appended>> {
        let mut unknown = false;
        let mut repeats = 0;
        loop {
            match self.log.append(events).await {
                Ok(mut appended) => {
                    if unknown {
                        // What the lost answer stored is no duplicate to its publisher.
                        for appended in &mut appended {
                            appended.duplicate = false;
                        }
                    }
                    return Ok(appended);
                }
                Err(error) if error.is_temporary() && repeats < REPEATS => {
                    unknown |= error.kind() == ErrorKind::OutcomeUnknown;
                    repeats += 1;
                    tracing::warn!(%error, repeats, "append failed, repeating it");
                    self.seam.clock().sleep(Duration::from_millis(5 << repeats)).await;
                }
                Err(error) if unknown => {
                    let detail = format!("{}; repeat it with the same ids", error.detail());
                    return Err(Error::new(ErrorKind::OutcomeUnknown, detail).with_source(error));
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl std::fmt::Debug for Appender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Appender").field("parallel", &self.parallel).finish_non_exhaustive()
    }
}

impl Line {
    fn is_idle(&self) -> bool {
        self.leads == 0 && self.single.is_none() && self.groups.is_empty()
    }
}

/// A publisher that appends in person, since it found its line idle: no task has to be woken for it.
struct InPerson<'a> {
    appender: &'a Arc<Appender>,
    at: usize,
    single: Arc<Single>,
}

impl Drop for InPerson<'_> {
    fn drop(&mut self) {
        let mut queue = self.appender.lock();
        let line = &mut queue.lines[self.at];
        if !line.single.as_ref().is_some_and(|single| Arc::ptr_eq(single, &self.single)) {
            return;
        }
        // If the publisher goes away first, its events are stored all the same.
        if !self.single.is_over() && Handle::try_current().is_ok() {
            self.appender.lead(line, self.at);
        } else {
            line.single = None;
        }
    }
}
