//! Subscriptions that have to get through a backlog side by side.

#![allow(clippy::unwrap_used, reason = "an engine that cannot be started ends its test")]

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use async_trait::async_trait;
use busway_core::{
    Definition, EventType, Key, LaneId, Log, Mode, NewEvent, Owner, Payload, ReadPage, ReadRequest, Result, Seam, Seq,
    Start, SubscriptionName, Tail, TenantId,
    conformance::doubles::{LogTwist, Sound, Twist},
    memory::Memory,
};
use busway_engine::{BoxFuture, Config, Delivery, Engine, Handler, Outcome};
use tokio::sync::Barrier;

const EVENTS: usize = 6_000;
const WINDOW: usize = 1_024;

/// A log that counts the entries that are read from it.
#[derive(Clone, Default)]
struct Counting(Arc<Counted>);

#[derive(Default)]
struct Counted {
    read: AtomicUsize,
    /// The next read of a page ends by a panic.
    is_page_defect: AtomicBool,
    /// The next read of the log's end does.
    is_end_defect: AtomicBool,
}

#[async_trait]
impl LogTwist for Counting {
    async fn read(&self, sound: Sound<'_, dyn Log>, request: ReadRequest) -> Result<ReadPage> {
        let Counted { read, is_page_defect, .. } = &*self.0;
        // Who looks at a subscription reads one entry, to tell how old it is.
        assert!(request.max == 1 || !is_page_defect.swap(false, Ordering::Relaxed), "a defect of the store");
        let page = sound.read(request).await?;
        read.fetch_add(page.entries.len(), Ordering::Relaxed);
        Ok(page)
    }

    async fn tail(&self, sound: Sound<'_, dyn Log>, places: &[(LaneId, Seq)], max: usize) -> Result<Tail> {
        assert!(!self.0.is_end_defect.swap(false, Ordering::Relaxed), "a defect of the store");
        let tail = sound.tail(places, max).await?;
        let entries = tail.pages.iter().map(|page| page.entries.len()).sum();
        self.0.read.fetch_add(entries, Ordering::Relaxed);
        Ok(tail)
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

async fn engine(events: usize) -> (Engine, Arc<Counted>) {
    let (seam, counting) = (Seam::system(), Counting::default());
    let counted = Arc::clone(&counting.0);
    let stores = Twist::log(counting).over(Memory::new(seam.clone()).stores(), 0);
    let engine = Engine::start(stores, Config::default(), seam).await.unwrap();
    for batch in (0..events).collect::<Vec<_>>().chunks(1_000) {
        engine.publish(batch.iter().map(|n| event(*n)).collect()).await.unwrap();
    }
    (engine, counted)
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
    log.is_page_defect.store(true, Ordering::Relaxed);
    let everything = subscribe(&engine, Owner::Installation, "*", None).await;
    while log.is_page_defect.load(Ordering::Relaxed) {
        tokio::task::yield_now().await;
    }
    engine.idle().await.unwrap();
    everything.check(|_| true);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_followed_on_after_a_defect() {
    let (engine, log) = engine(0).await;
    let everything = subscribe(&engine, Owner::Installation, "*", None).await;
    engine.idle().await.unwrap();
    log.is_end_defect.store(true, Ordering::Relaxed);
    for n in 0..EVENTS {
        engine.publish(vec![event(n)]).await.unwrap();
    }
    engine.idle().await.unwrap();
    assert!(!log.is_end_defect.load(Ordering::Relaxed), "there was no defect");
    everything.check(|_| true);
}
