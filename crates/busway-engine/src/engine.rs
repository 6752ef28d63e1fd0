use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use busway_core::{
    Error, ErrorKind, Event, FieldError, LaneId, MemberId, MemberRecord, NewEvent, Request, Result, Seam, Stores,
    SubscriptionId,
};
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Config, Published, ShutdownReport,
    append::Appender,
    caretaker,
    deliver::{AlonePermit, Reader, Work},
    inline::Inline,
    lane::Limits,
    members, outbox,
    pull::PullLanes,
    registry::Registry,
    service::serve,
    signal::Signal,
};

/// The largest event, as JSON text.
const MAX_EVENT: usize = 256 << 10;
/// Holds of one lane that may be armed or running at once.
const ARMED: usize = 256;

/// The bus over one backend. Cheap to clone; clones are one engine.
#[derive(Clone)]
pub struct Engine {
    pub(crate) inner: Arc<Inner>,
}

/// What all parts of an engine share.
pub(crate) struct Inner {
    pub(crate) stores: Stores,
    pub(crate) config: Config,
    pub(crate) seam: Seam,
    pub(crate) inline: Inline,
    pub(crate) appender: Arc<Appender>,
    pub(crate) reader: Arc<Reader>,
    pub(crate) registry: ArcSwap<Registry>,
    pub(crate) reloading: tokio::sync::Mutex<()>,
    pub(crate) pulls: PullLanes,
    /// Requests not yet carried out, as last seen.
    pub(crate) asked: ArcSwap<Vec<Request>>,
    works: Mutex<BTreeMap<SubscriptionId, Arc<Work>>>,
    pub(crate) member: MemberRecord,
    /// Members that live, as last watched.
    pub(crate) living: ArcSwap<Vec<MemberRecord>>,
    pub(crate) alone: AlonePermit,
    /// Asks for a heartbeat now.
    pub(crate) poke: Notify,
    /// Asks for a round of operations now.
    pub(crate) work: Notify,
    /// Heartbeats so far.
    pub(crate) beats: Arc<Signal>,
    /// Told whenever a lane has become idle, a runner has ended or a definition has changed.
    pub(crate) stirred: Arc<Notify>,
    /// Services: heartbeat, reader, replays, operations.
    pub(crate) services: TaskTracker,
    /// Runners and their handlers.
    pub(crate) runs: TaskTracker,
    pub(crate) stop: CancellationToken,
    pub(crate) services_stop: CancellationToken,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("stores", &self.inner.stores).finish_non_exhaustive()
    }
}

impl Engine {
    /// Opens the engine over a backend: joins as a member and starts its services.
    pub async fn start(stores: Stores, config: Config, seam: Seam) -> Result<Self> {
        let opened = stores.log.heads().await?;
        let services = TaskTracker::new();
        let log = Arc::clone(&stores.log);
        let appender = Appender::new(config.append_batch, config.append_queue, log, seam.clone(), services.clone());
        let member = MemberRecord {
            id: MemberId(seam.id()),
            name: format!("{}@{}:{}", config.app, hostname(), std::process::id()),
            counter: 0,
            lease_ms: u64::try_from(config.lease.as_millis()).unwrap_or(u64::MAX),
            serves: Vec::new(),
        };
        let inner = Arc::new(Inner {
            reader: Arc::new(Reader::new(&opened)),
            appender: Arc::new(appender),
            inline: Inline::new(),
            registry: ArcSwap::default(),
            reloading: tokio::sync::Mutex::default(),
            pulls: PullLanes::new(stores.log.lanes()),
            asked: ArcSwap::default(),
            works: Mutex::default(),
            living: ArcSwap::default(),
            alone: AlonePermit::new(),
            poke: Notify::new(),
            work: Notify::new(),
            beats: Signal::new(),
            stirred: Arc::default(),
            runs: TaskTracker::new(),
            stop: CancellationToken::new(),
            services_stop: CancellationToken::new(),
            services,
            member,
            stores,
            config,
            seam,
        });
        inner.reload().await?;
        inner.serve("reader", |inner| {
            let log = Arc::clone(&inner.stores.log);
            Arc::clone(&inner.reader).follow(log, inner.seam.clone(), inner.services_stop.clone())
        });
        if let Some(outbox) = inner.stores.outbox.clone() {
            inner.serve("relay", move |inner| {
                let beats = inner.beats.watch();
                outbox::relay(inner, Arc::clone(&outbox), beats)
            });
        }
        inner.serve("members", members::attend);
        inner.serve("caretaker", caretaker::care);
        Ok(Self { inner })
    }

    /// Where time, ids and randomness come from.
    pub fn seam(&self) -> &Seam {
        &self.inner.seam
    }

    /// The backend.
    pub fn stores(&self) -> &Stores {
        &self.inner.stores
    }

    /// How it works.
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// The inline listeners.
    pub fn inline(&self) -> &Inline {
        &self.inner.inline
    }

    /// Publishes events, all or none, in the order given; returns once they are stored, then runs the inline
    /// listeners for those that are no duplicates. Missing ids, times and tenants are filled in.
    pub async fn publish(&self, events: Vec<NewEvent>) -> Result<Vec<Published>> {
        let inner = &self.inner;
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let events = inner.complete(events)?;
        let appended = inner.appender.append(events.clone()).await?;
        let mut published = Vec::with_capacity(events.len());
        for (event, appended) in events.iter().zip(appended) {
            if !appended.duplicate {
                inner.inline.dispatch_stored(event);
            }
            published.push(Published { id: event.id, duplicate: appended.duplicate, stored_at: appended.stored_at });
        }
        Ok(published)
    }

    /// An event as `publish` would store it: checked, with what is missing filled in. Nothing is stored.
    pub fn complete(&self, event: NewEvent) -> Result<Arc<Event>> {
        self.inner.complete_one(event)
    }

    /// Whether the backend answers and the engine runs.
    pub async fn ready(&self) -> Result<()> {
        if self.inner.stop.is_cancelled() {
            return Err(Error::new(ErrorKind::Closed, "the bus is shut down"));
        }
        self.inner.stores.log.heads().await.map(|_| ())
    }

    /// Ends when every lane that this process works on has caught up and nothing runs, waits in line or is
    /// being stored, apart from holds that wait for their time or for someone.
    pub async fn idle(&self) -> Result<()> {
        loop {
            let stirred = self.inner.stirred.notified();
            tokio::pin!(stirred);
            stirred.as_mut().enable();
            if self.inner.is_idle().await? {
                return Ok(());
            }
            stirred.await;
        }
    }

    /// Ends gracefully: takes nothing new, finishes or hands back what runs, settles, leaves.
    pub async fn shutdown(&self) -> Result<ShutdownReport> {
        let inner = &self.inner;
        inner.stop.cancel();
        inner.appender.close();
        let works = inner.works();
        let running: u64 = works.values().map(|work| inner.running(work)).sum();
        for work in works.values() {
            for handle in work.lanes().values() {
                handle.release.cancel();
            }
        }
        inner.runs.close();
        let mut cancelled = 0;
        tokio::select! {
            biased;
            () = inner.runs.wait() => {}
            () = inner.seam.clock().sleep(inner.config.grace) => {
                cancelled = works.values().map(|work| inner.running(work)).sum();
                for work in works.values() {
                    for handle in work.lanes().values() {
                        handle.cancel.cancel();
                    }
                }
                tokio::select! {
                    biased;
                    () = inner.runs.wait() => {}
                    () = inner.seam.clock().sleep(Duration::from_secs(5)) => {}
                }
            }
        }
        inner.services_stop.cancel();
        inner.services.close();
        inner.services.wait().await;
        inner.stores.checkpoints.remove_member(inner.member.id).await?;
        Ok(ShutdownReport { finished: running.saturating_sub(cancelled), cancelled })
    }
}

impl Inner {
    fn serve<F>(self: &Arc<Self>, service: &'static str, mut begin: impl FnMut(Arc<Self>) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let inner = Arc::clone(self);
        self.services.spawn(serve(service, self.seam.clone(), move || begin(Arc::clone(&inner))));
    }

    /// Events as they are stored: ids, times and tenants filled in, sizes checked.
    pub(crate) fn complete(&self, events: Vec<NewEvent>) -> Result<Vec<Arc<Event>>> {
        let now = self.seam.now();
        let several = events.len() > 1;
        let mut faults = Vec::new();
        let mut complete = Vec::with_capacity(events.len());
        for (index, event) in events.into_iter().enumerate() {
            let size = event.payload.as_str().len() + event.metadata.as_str().len();
            if size > MAX_EVENT {
                let detail = format!("has {size} bytes; an event may have {MAX_EVENT}");
                let fault = FieldError::new("/payload", "too_large", detail);
                faults.push(FieldError { index: several.then_some(index), ..fault });
            }
            complete.push(Arc::new(Event {
                id: event.id.unwrap_or_else(|| self.seam.id()),
                event_type: event.event_type,
                tenant: event.tenant.unwrap_or_else(|| self.config.default_tenant.clone()),
                key: event.key,
                time: event.time.unwrap_or(now),
                payload: event.payload,
                metadata: event.metadata,
            }));
        }
        if faults.is_empty() { Ok(complete) } else { Err(Error::invalid(ErrorKind::InvalidEvent, faults)) }
    }

    /// As [`complete`](Self::complete), of one event.
    pub(crate) fn complete_one(&self, event: NewEvent) -> Result<Arc<Event>> {
        let mut events = self.complete(vec![event])?;
        events.pop().ok_or_else(|| Error::new(ErrorKind::Internal, "an event was completed and is not there"))
    }

    pub(crate) fn limits(&self) -> Limits {
        let millis = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Limits {
            window: self.config.window.max(1),
            window_bytes: self.config.window_bytes,
            max_holds: self.config.max_holds.max(1),
            armed: ARMED,
            breaker: self.config.breaker.max(1),
            slow_ms: millis(self.config.slow),
            crowd_ms: 250,
            lazy_ms: 1_000,
        }
    }

    /// What this process has handlers for.
    pub(crate) fn works(&self) -> BTreeMap<SubscriptionId, Arc<Work>> {
        self.works.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn work(&self, id: SubscriptionId) -> Option<Arc<Work>> {
        self.works.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// Takes up work; false if this process works on the subscription already.
    pub(crate) fn take_up(&self, id: SubscriptionId, work: Arc<Work>) -> bool {
        let mut works = self.works.lock().unwrap_or_else(PoisonError::into_inner);
        let free = !works.contains_key(&id);
        if free {
            works.insert(id, work);
        }
        free
    }

    pub(crate) fn forget(&self, id: SubscriptionId) -> Option<Arc<Work>> {
        self.works.lock().unwrap_or_else(PoisonError::into_inner).remove(&id)
    }

    /// Beats now, and waits until that is done.
    pub(crate) async fn beat_now(&self) {
        let mut beats = self.beats.watch();
        // Two: the one under way may have begun before what it is to see.
        for _ in 0..2 {
            self.poke.notify_one();
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                () = beats.changed() => {}
            }
        }
    }

    /// True if something is asked of the lane, as last seen.
    pub(crate) fn is_asked(&self, id: SubscriptionId, lane: LaneId) -> bool {
        self.asked.load().iter().any(|request| request.subscription == id && request.lane == lane)
    }

    /// Forgets requests that were carried out.
    pub(crate) fn strike(&self, ids: &[u64]) {
        if !ids.is_empty() {
            self.asked
                .rcu(|asked| asked.iter().filter(|request| !ids.contains(&request.id)).cloned().collect::<Vec<_>>());
        }
    }

    fn running(&self, work: &Work) -> u64 {
        work.lanes().values().map(|handle| handle.shown.running.load(std::sync::atomic::Ordering::Relaxed)).sum()
    }

    async fn is_idle(&self) -> Result<bool> {
        use std::sync::atomic::Ordering::Acquire;
        let heads = self.stores.log.heads().await?;
        let now = self.seam.steady().as_millis();
        Ok(self.works().values().all(|work| {
            let lanes = work.lanes();
            lanes.len() == heads.seqs.len()
                && lanes.iter().all(|(lane, handle)| {
                    let shown = &handle.shown;
                    let paused = work.is_paused();
                    let end = heads.seqs[usize::from(lane.0)].min(work.last(*lane));
                    let read = shown.cursor.load(Acquire) >= end || paused;
                    read && now < shown.idle_until.load(Acquire)
                })
        }))
    }
}

fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").map_or_else(|_| "host".into(), |name| name.trim().to_owned())
}
