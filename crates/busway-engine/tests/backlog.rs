//! Subscriptions that have to get through a backlog side by side.

#![allow(clippy::unwrap_used, reason = "an engine that cannot be started ends its test")]

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use async_trait::async_trait;
use busway_core::{
    Appended, Capabilities, Definition, Entry, Event, EventType, Heads, Key, LaneId, Log, Mode, NewEvent, Owner,
    Payload, ReadPage, ReadRequest, Result, Seam, Seq, Start, Stores, SubscriptionName, TenantId, Timestamp, Wake,
    memory::Memory,
};
use busway_engine::{BoxFuture, Config, Delivery, Engine, Handler, Outcome};
use tokio::sync::Barrier;
use uuid::Uuid;

const EVENTS: usize = 6_000;
const WINDOW: usize = 1_024;

/// A log that counts the entries that are read from it.
struct Counting {
    log: Arc<dyn Log>,
    read: AtomicUsize,
    /// The next read of a page ends by a panic.
    is_defect: AtomicBool,
}

#[async_trait]
impl Log for Counting {
    fn capabilities(&self) -> &Capabilities {
        self.log.capabilities()
    }

    fn lanes(&self) -> u16 {
        self.log.lanes()
    }

    async fn append(&self, batch: &[Arc<Event>]) -> Result<Vec<Appended>> {
        self.log.append(batch).await
    }

    async fn read(&self, request: ReadRequest) -> Result<ReadPage> {
        // Who looks at a subscription reads one entry, to tell how old it is.
        assert!(request.max == 1 || !self.is_defect.swap(false, Ordering::Relaxed), "a defect of the store");
        let page = self.log.read(request).await?;
        self.read.fetch_add(page.entries.len(), Ordering::Relaxed);
        Ok(page)
    }

    async fn fetch(&self, lane: LaneId, seqs: &[Seq]) -> Result<Vec<Arc<Entry>>> {
        self.log.fetch(lane, seqs).await
    }

    async fn heads(&self) -> Result<Heads> {
        self.log.heads().await
    }

    async fn find(&self, tenant: Option<&TenantId>, from: Uuid, to: Uuid, max: usize) -> Result<Vec<Arc<Entry>>> {
        self.log.find(tenant, from, to, max).await
    }

    fn wake(&self) -> Wake {
        self.log.wake()
    }

    async fn prune(&self, lane: LaneId, upto: Seq, before: Timestamp) -> Result<u64> {
        self.log.prune(lane, upto, before).await
    }
}

/// Notes what comes; with the first event it waits until all the others have theirs.
struct Starter {
    seen: Mutex<Vec<usize>>,
    all: Option<Arc<Barrier>>,
}

impl Handler for Starter {
    fn handle(self: Arc<Self>, delivery: Delivery) -> BoxFuture<Outcome> {
        let first = {
            let mut seen = self.seen.lock().unwrap();
            seen.push(delivery.event.payload.as_str()[5..].trim_end_matches('}').parse().unwrap());
            seen.len() == 1
        };
        Box::pin(async move {
            if let Some(all) = self.all.as_ref().filter(|_| first) {
                all.wait().await;
            }
            Outcome::Done
        })
    }
}

/// What the n-th event is.
fn event(n: usize) -> NewEvent {
    let (event_type, tenant) = (["shift.created", "ticket.created", "shift.deleted"][n % 3], ["acme", "globex"][n % 2]);
    NewEvent::new(EventType::new(event_type).unwrap(), Payload::from_json(format!("{{\"n\":{n}}}")).unwrap())
        .with_tenant(TenantId::new(tenant).unwrap())
        .with_key(Key::new("one").unwrap())
}

impl Starter {
    /// Order holds within a tenant.
    fn check(&self, wanted: impl Fn(usize) -> bool) {
        let seen = self.seen.lock().unwrap();
        for tenant in [0, 1] {
            let of_tenant: Vec<_> = seen.iter().copied().filter(|n| n % 2 == tenant).collect();
            let expected: Vec<_> = (0..EVENTS).filter(|n| n % 2 == tenant && wanted(*n)).collect();
            assert_eq!(of_tenant, expected);
        }
    }
}

async fn engine(events: usize) -> (Engine, Arc<Counting>) {
    let seam = Seam::system();
    let memory = Memory::new(seam.clone()).stores();
    let log = Arc::new(Counting { log: memory.log, read: AtomicUsize::new(0), is_defect: AtomicBool::new(false) });
    let engine = Engine::start(Stores { log: log.clone(), ..memory }, Config::default(), seam).await.unwrap();
    for batch in (0..events).collect::<Vec<_>>().chunks(1_000) {
        engine.publish(batch.iter().map(|n| event(*n)).collect()).await.unwrap();
    }
    (engine, log)
}

async fn subscribe(engine: &Engine, owner: Owner, types: &str, all: Option<Arc<Barrier>>) -> Arc<Starter> {
    let handler = Arc::new(Starter { seen: Mutex::default(), all });
    let name = SubscriptionName::new(format!("of {types}").replace([' ', '*'], "-")).unwrap();
    let definition = Definition { start: Start::Earliest, ..Definition::new(types.parse().unwrap(), Mode::Run) };
    engine.subscribe(owner, name, definition, false, handler.clone()).await.unwrap();
    handler
}

#[tokio::test(flavor = "multi_thread")]
async fn each_gets_what_it_wants_of_a_backlog_and_all_of_it_in_order() {
    let (engine, _) = engine(EVENTS).await;
    let acme = Owner::Tenant(TenantId::new("acme").unwrap());
    let (everything, shifts, tickets, of_acme) = tokio::join!(
        subscribe(&engine, Owner::Installation, "*", None),
        subscribe(&engine, Owner::Installation, "shift.*", None),
        subscribe(&engine, Owner::Installation, "ticket.created", None),
        subscribe(&engine, acme, "shift.created", None),
    );
    engine.idle().await.unwrap();
    everything.check(|_| true);
    shifts.check(|n| n % 3 != 1);
    tickets.check(|n| n % 3 == 1);
    of_acme.check(|n| n % 6 == 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_is_read_once_for_all_who_have_it() {
    const MANY: usize = 6;
    let (engine, log) = engine(EVENTS).await;
    let all = Arc::new(Barrier::new(MANY));
    let patterns = ["*", "shift.*", "shift.created", "shift.deleted", "ticket.*", "*.created"];
    let subscriptions = patterns.map(|types| subscribe(&engine, Owner::Installation, types, Some(all.clone())));
    futures::future::join_all(subscriptions).await;
    engine.idle().await.unwrap();
    // Whoever comes before there is another one reads its first window alone.
    let read = log.read.load(Ordering::Relaxed);
    assert!(read <= EVENTS + MANY * WINDOW, "{read} entries were read");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_whose_work_ended_by_a_defect_is_taken_again() {
    let (engine, log) = engine(EVENTS).await;
    log.is_defect.store(true, Ordering::Relaxed);
    let everything = subscribe(&engine, Owner::Installation, "*", None).await;
    while log.is_defect.load(Ordering::Relaxed) {
        tokio::task::yield_now().await;
    }
    engine.idle().await.unwrap();
    everything.check(|_| true);
}
