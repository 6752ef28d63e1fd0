//! Processes that publish and listen on one database while it is broken.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use busway_core::{Definition, Mode, Owner, Patterns, Seam, Start, Stores, SubscriptionName};
use busway_engine::{
    BoxFuture, Config, Delivery, Engine, Handler, Outcome,
    conformance::{Ended, History, Record},
};
use tokio::{sync::watch, task::JoinSet};
use uuid::Uuid;

use crate::{
    figures::Figures,
    numbered::{event, number},
};

/// Against hanging alone.
const LIMIT: Duration = Duration::from_secs(300);
/// Events of one call, and keys of one publisher.
const BATCH: u64 = 5;
const KEYS: u64 = 7;
/// How far publishers run ahead of what is delivered, where both are to go on until the end.
pub(crate) const SOME: usize = 500;
const SUBSCRIPTION: &str = "s";
const ATTEMPTS: u32 = 5;

/// A process that takes part.
pub(crate) struct Process {
    pub(crate) url: String,
    pub(crate) publishers: u64,
    /// Of each publisher.
    pub(crate) events: u64,
    pub(crate) lease: Duration,
}

/// What happens.
#[derive(Debug)]
pub(crate) struct Seen {
    began: Instant,
    history: History,
    runs: AtomicU64,
    handled: Mutex<BTreeSet<u64>>,
    delivered: watch::Sender<usize>,
    /// By process.
    acknowledged: Vec<watch::Sender<usize>>,
    /// What publishers were told when the engine had given up repeating, by code.
    told: Mutex<BTreeMap<&'static str, usize>>,
    complaints: watch::Sender<usize>,
}

impl Seen {
    fn note(&self, record: Record) {
        self.history.note(self.began.elapsed(), record);
    }

    fn acknowledged(&self) -> usize {
        self.acknowledged.iter().map(|count| *count.borrow()).sum()
    }
}

pub(crate) struct Traffic {
    seen: Arc<Seen>,
    engines: Vec<Engine>,
    publishers: JoinSet<()>,
    published: usize,
}

impl Traffic {
    /// Publishers wait while more than `ahead` events are published and not delivered.
    pub(crate) async fn begin(processes: &[Process], ahead: usize) -> Self {
        let seen = Arc::new(Seen {
            began: Instant::now(),
            history: History::default(),
            runs: AtomicU64::default(),
            handled: Mutex::default(),
            delivered: watch::Sender::default(),
            acknowledged: processes.iter().map(|_| watch::Sender::default()).collect(),
            told: Mutex::default(),
            complaints: watch::Sender::default(),
        });
        let mut traffic = Self { seen, engines: Vec::new(), publishers: JoinSet::new(), published: 0 };
        for (index, process) in processes.iter().enumerate() {
            let engine = traffic.join(index, process).await;
            for publisher in 0..process.publishers {
                let name = (index as u64 + 1) * 100 + publisher;
                let publisher =
                    Publisher { engine: engine.clone(), seen: traffic.seen.clone(), process: index, name, ahead };
                traffic.publishers.spawn(publisher.publish(process.events));
            }
            traffic.published += (process.publishers * process.events) as usize;
            traffic.engines.push(engine);
        }
        traffic
    }

    async fn join(&self, index: usize, process: &Process) -> Engine {
        let stores = busway_backends::open(&process.url, Seam::system()).await.unwrap();
        let config = Config { lease: process.lease, app: format!("process-{index}"), ..Config::default() };
        let engine = Engine::start(stores, config, Seam::system()).await.unwrap();
        let definition = Definition { start: Start::Earliest, concurrency: 16, ..definition() };
        let name = SubscriptionName::new(SUBSCRIPTION).unwrap();
        let hearing = Arc::new(Hearing { process: index, seen: self.seen.clone() });
        engine.subscribe(Owner::Installation, name, definition, false, hearing).await.unwrap();
        engine
    }

    /// Events that are to be published.
    pub(crate) fn published(&self) -> usize {
        self.published
    }

    /// Events whose publishers were told that they are stored.
    pub(crate) fn acknowledged(&self) -> usize {
        self.seen.acknowledged()
    }

    /// How often publishers were told of an error when the engine had given up repeating.
    pub(crate) fn told(&self, code: &str) -> usize {
        self.seen.told.lock().unwrap().get(code).copied().unwrap_or_default()
    }

    /// What follows is excused by the loss of this process's leases.
    pub(crate) fn may_lose_its_lanes(&self, process: usize) {
        self.seen.note(Record::Suspended { process });
    }

    /// Waits until so many different events are handled.
    pub(crate) async fn delivered(&self, count: usize) {
        reached("delivered", &self.seen.delivered, count).await;
    }

    /// Waits until publishers of a process were told so often more that events are stored.
    pub(crate) async fn more_acknowledged_by(&self, process: usize, more: usize) {
        let acknowledged = &self.seen.acknowledged[process];
        let count = *acknowledged.borrow() + more;
        reached("acknowledged", acknowledged, count).await;
    }

    /// Waits until one more publisher has heard from its engine that it has given up repeating.
    pub(crate) async fn another_complaint(&self) {
        let count = *self.seen.complaints.borrow() + 1;
        reached("complaints", &self.seen.complaints, count).await;
    }

    /// Waits until everything is published and handled, prints what that came to, and fails if something is lost, out of
    /// order or stored twice.
    pub(crate) async fn finish(mut self, what: &str, direct: &str) {
        let publishing = async {
            while let Some(ended) = self.publishers.join_next().await {
                ended.unwrap()
            }
        };
        let in_time = tokio::time::timeout(LIMIT, publishing).await;
        assert!(in_time.is_ok(), "only {} of {} events are published", self.acknowledged(), self.published);
        self.delivered(self.published).await;
        for engine in &self.engines {
            engine.shutdown().await.unwrap();
        }
        let stores: Stores = busway_backends::open(direct, Seam::system()).await.unwrap();
        let figures = Figures::of(&self.seen.history, self.published, SUBSCRIPTION, ATTEMPTS, &stores).await;
        let told = self.seen.told.lock().unwrap().clone();
        println!("{what}, {:.1} s: {figures}, complaints {told:?}", self.seen.began.elapsed().as_secs_f64());
        assert_eq!(figures.broken(), Vec::<String>::new(), "{what}");
    }
}

fn definition() -> Definition {
    Definition::new(Patterns::parse(["*"]).unwrap(), Mode::Run)
}

async fn reached(what: &str, counted: &watch::Sender<usize>, count: usize) {
    let mut counting = counted.subscribe();
    let waited = tokio::time::timeout(LIMIT, counting.wait_for(|counted| *counted >= count)).await;
    assert!(waited.is_ok(), "{what}: {} of {count} within {LIMIT:?}", *counted.borrow());
}

struct Publisher {
    engine: Engine,
    seen: Arc<Seen>,
    process: usize,
    name: u64,
    ahead: usize,
}

impl Publisher {
    /// Publishes one batch after another, each until its engine says that it is stored; always with the same ids.
    async fn publish(self, events: u64) {
        let Self { engine, seen, process, name, ahead } = self;
        let numbers: Vec<u64> = (0..events).map(|n| name * 1_000_000 + n).collect();
        let key = |n: u64| format!("{name}-{}", n % KEYS);
        for batch in numbers.chunks(BATCH as usize) {
            let mut delivered = seen.delivered.subscribe();
            delivered.wait_for(|delivered| seen.acknowledged() < delivered.saturating_add(ahead)).await.unwrap();
            let events: Vec<_> = batch.iter().map(|n| event(*n, &key(*n)).with_id(Uuid::now_v7())).collect();
            while let Err(error) = engine.publish(events.clone()).await {
                assert!(error.is_temporary(), "{error}");
                *seen.told.lock().unwrap().entry(error.kind().code()).or_default() += 1;
                seen.complaints.send_modify(|count| *count += 1);
            }
            batch.iter().for_each(|n| seen.note(Record::Acknowledged { event: *n, key: Some(key(*n)) }));
            seen.acknowledged[process].send_modify(|count| *count += batch.len());
        }
    }
}

/// Handles everything, and notes it.
#[derive(Debug)]
struct Hearing {
    process: usize,
    seen: Arc<Seen>,
}

/// A run that is dropped unless it is said to be done.
struct Run {
    seen: Arc<Seen>,
    run: u64,
    ended: Ended,
}

impl Drop for Run {
    fn drop(&mut self) {
        self.seen.note(Record::Finished { run: self.run, ended: self.ended });
    }
}

impl Handler for Hearing {
    fn handle(self: Arc<Self>, delivery: Delivery) -> BoxFuture<Outcome> {
        Box::pin(async move {
            let (event, run) = (number(&delivery.event), self.seen.runs.fetch_add(1, Ordering::Relaxed));
            self.seen.note(Record::Started {
                process: self.process,
                subscription: SUBSCRIPTION.into(),
                event,
                key: delivery.event.key.as_ref().map(ToString::to_string),
                attempt: delivery.attempt,
                replay: false,
                run,
            });
            let mut run = Run { seen: self.seen.clone(), run, ended: Ended::Dropped };
            tokio::task::yield_now().await;
            run.ended = Ended::Ack;
            drop(run);
            let mut handled = self.seen.handled.lock().unwrap();
            handled.insert(event);
            self.seen.delivered.send_replace(handled.len());
            Outcome::Done
        })
    }
}
