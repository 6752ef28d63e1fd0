//! The engine over the memory backend, as a process that embeds it sees it.

#![allow(clippy::unwrap_used, reason = "an engine that cannot be started ends its test")]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use busway_core::{
    Checkpoints, Definition, EventType, Key, LaneId, MemberRecord, Mode, NewEvent, Owner, Patterns, Payload, Pulse,
    Request, RequestKind, Result, Retry, Seam, SubscriptionName, SubscriptionRecord, TenantId,
    conformance::doubles::{CheckpointsTwist, Sound, Twist},
    memory::Memory,
};
use busway_engine::{BoxFuture, Config, Delivery, Engine, Handler, Outcome, SettleRetry, Settlements};
use tokio::sync::watch;

type Answer = dyn Fn(&Delivery) -> Outcome + Send + Sync;

/// Notes every delivery and answers as it is told.
struct Noting {
    seen: Mutex<Vec<(String, u32)>>,
    answer: Box<Answer>,
}

impl Noting {
    fn new(answer: impl Fn(&Delivery) -> Outcome + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { seen: Mutex::default(), answer: Box::new(answer) })
    }

    fn seen(&self) -> Vec<(String, u32)> {
        self.seen.lock().unwrap().clone()
    }
}

impl Handler for Noting {
    fn handle(self: Arc<Self>, delivery: Delivery) -> BoxFuture<Outcome> {
        self.seen.lock().unwrap().push((delivery.event.payload.as_str().to_owned(), delivery.attempt));
        let outcome = (self.answer)(&delivery);
        Box::pin(async move { outcome })
    }
}

async fn engine(lanes: u16) -> Engine {
    let seam = Seam::system();
    let stores = Memory::with_lanes(seam.clone(), lanes).stores();
    Engine::start(stores, Config::default(), seam).await.unwrap()
}

fn event(kind: &str, key: Option<&str>, n: u32) -> NewEvent {
    let payload = Payload::from_json(format!("{{\"n\":{n}}}")).unwrap();
    let event = NewEvent::new(EventType::new(kind).unwrap(), payload).with_tenant(TenantId::new("acme").unwrap());
    match key {
        Some(key) => event.with_key(Key::new(key).unwrap()),
        None => event,
    }
}

fn name(text: &str) -> SubscriptionName {
    SubscriptionName::new(text).unwrap()
}

fn definition(types: &str, mode: Mode) -> Definition {
    let retry = Retry::fixed(Duration::from_millis(1)).attempts(3).jitter(0.0);
    Definition { retry, ..Definition::new(types.parse::<Patterns>().unwrap(), mode) }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_arrives_in_order_of_its_key() {
    let engine = engine(4).await;
    let handler = Noting::new(|_| Outcome::Done);
    engine
        .subscribe(Owner::Installation, name("all"), definition("shift.*", Mode::Run), false, handler.clone())
        .await
        .unwrap();
    for n in 0..500 {
        engine.publish(vec![event("shift.created", Some("a"), n), event("other", None, n)]).await.unwrap();
    }
    engine.idle().await.unwrap();
    let expected: Vec<_> = (0..500).map(|n| (format!("{{\"n\":{n}}}"), 1)).collect();
    assert_eq!(handler.seen(), expected);
    let view = engine.subscription(&Owner::Installation, &name("all")).await.unwrap();
    assert_eq!((view.delivered_total, view.lag_at_most, view.held), (500, 0, 0));
    engine.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_event_is_retried_then_dead_and_its_key_goes_on() {
    let engine = engine(1).await;
    let handler = Noting::new(|delivery| match delivery.event.payload.as_str() {
        "{\"n\":1}" => Outcome::Retry { delay: None, error: "no".into() },
        _ => Outcome::Done,
    });
    engine
        .subscribe(Owner::Installation, name("all"), definition("*", Mode::Run), false, handler.clone())
        .await
        .unwrap();
    engine.publish((0..4).map(|n| event("t", Some("k"), n)).collect()).await.unwrap();
    loop {
        engine.idle().await.unwrap();
        let view = engine.subscription(&Owner::Installation, &name("all")).await.unwrap();
        if view.dead == 1 && view.delivered_total == 3 {
            break;
        }
        tokio::task::yield_now().await;
    }
    let seen: Vec<_> = handler.seen().into_iter().map(|(payload, attempt)| format!("{payload}{attempt}")).collect();
    assert_eq!(seen, ["{\"n\":0}1", "{\"n\":1}1", "{\"n\":1}2", "{\"n\":1}3", "{\"n\":2}1", "{\"n\":3}1"]);
    engine.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_puller_gets_settles_fails_and_gets_again() {
    let engine = engine(2).await;
    let owner = Owner::Installation;
    engine.put(owner.clone(), name("p"), definition("*", Mode::Pull), false).await.unwrap();
    engine.publish((0..5).map(|n| event("t", Some("k"), n)).collect()).await.unwrap();
    let pulled = engine.pull(&owner, &name("p"), 10, Duration::from_secs(5)).await.unwrap();
    assert_eq!(pulled.len(), 5);
    let ids: Vec<String> = pulled.iter().map(|leased| leased.delivery_id.clone()).collect();
    let settlements = Settlements {
        ack: vec![ids[0].clone(), ids[1].clone()],
        retry: vec![SettleRetry { id: ids[2].clone(), delay: Some(Duration::ZERO), error: Some("later".into()) }],
        ..Settlements::default()
    };
    let settled = engine.settle(&owner, &name("p"), settlements).await.unwrap();
    assert!(settled.iter().all(|settled| settled.settled));
    let late = Settlements { ack: vec![ids[3].clone()], ..Settlements::default() };
    assert!(!engine.settle(&owner, &name("p"), late).await.unwrap()[0].settled);
    let again = engine.pull(&owner, &name("p"), 10, Duration::from_secs(5)).await.unwrap();
    assert_eq!(again[0].attempt, 2);
    assert_eq!(again[0].entry.event().unwrap().payload.as_str(), "{\"n\":2}");
    engine.shutdown().await.unwrap();
}

/// Records as they were once, how often requests were told, and how often the member has beaten.
struct Late {
    records: Mutex<Option<Vec<SubscriptionRecord>>>,
    looks: watch::Sender<u32>,
    beats: watch::Sender<u32>,
}

struct BehindTheTimes(Arc<Late>);

#[async_trait]
impl CheckpointsTwist for BehindTheTimes {
    async fn subscriptions(&self, sound: Sound<'_, dyn Checkpoints>) -> Result<Vec<SubscriptionRecord>> {
        let records = self.0.records.lock().unwrap().clone();
        match records {
            Some(records) => Ok(records),
            None => sound.subscriptions().await,
        }
    }

    async fn requests(&self, sound: Sound<'_, dyn Checkpoints>) -> Result<Vec<Request>> {
        let requests = sound.requests().await?;
        if !requests.is_empty() {
            self.0.looks.send_modify(|looks| *looks += 1);
        }
        Ok(requests)
    }

    async fn pulse(&self, sound: Sound<'_, dyn Checkpoints>, member: &MemberRecord) -> Result<Pulse> {
        self.0.beats.send_modify(|beats| *beats += 1);
        sound.pulse(member).await
    }
}

/// Two processes that serve subscriptions of one store, of which the first may be behind the times.
struct Two {
    late: Arc<Late>,
    checkpoints: Arc<dyn Checkpoints>,
    first: Engine,
    second: Engine,
}

impl Two {
    async fn start() -> Self {
        let seam = Seam::system();
        let memory = Memory::with_lanes(seam.clone(), 1).stores();
        let late = Late { records: Mutex::default(), looks: watch::Sender::new(0), beats: watch::Sender::new(0) };
        let late = Arc::new(late);
        let stores = Twist::checkpoints(BehindTheTimes(Arc::clone(&late))).over(memory.clone(), 0);
        let config = Config { lease: Duration::from_millis(300), ..Config::default() };
        let first = Engine::start(stores, config.clone(), seam.clone()).await.unwrap();
        let second = Engine::start(memory.clone(), config, seam).await.unwrap();
        Self { late, checkpoints: memory.checkpoints, first, second }
    }

    async fn stop_the_times(&self) {
        *self.late.records.lock().unwrap() = Some(self.checkpoints.subscriptions().await.unwrap());
    }

    /// Until the first has seen requests so often, and had time to do something about it.
    async fn has_looked(&self, times: u32) {
        self.late.looks.subscribe().wait_for(|looks| *looks >= times).await.unwrap();
        let beats = *self.late.beats.borrow();
        self.late.beats.subscribe().wait_for(|now| *now >= beats + 3).await.unwrap();
    }

    async fn go_on(&self) {
        *self.late.records.lock().unwrap() = None;
        // Something else has changed: the first reads the records again.
        let aside = self.second.put(Owner::Installation, name("aside"), definition("*", Mode::Pull), false);
        aside.await.unwrap();
    }

    /// The subscription `s` of mode run, of these types.
    fn update(&self, types: &str) -> impl Future<Output = ()> + Send + use<> {
        let (second, definition) = (self.second.clone(), definition(types, Mode::Run));
        async move { second.put(Owner::Installation, name("s"), definition, true).await.map(drop).unwrap() }
    }

    async fn work(&self, types: &str) -> Arc<Noting> {
        let (handler, definition) = (Noting::new(|_| Outcome::Done), definition(types, Mode::Run));
        self.first.subscribe(Owner::Installation, name("s"), definition, false, handler.clone()).await.unwrap();
        handler
    }

    async fn revision(&self) -> u64 {
        let lanes = self.checkpoints.checkpoints(None).await.unwrap();
        lanes[0].2.segments.last().unwrap().revision
    }

    async fn stop(self) {
        self.first.shutdown().await.unwrap();
        self.second.shutdown().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_goes_by_a_new_definition_only_once_its_holder_knows_it() {
    let two = Two::start().await;
    let handler = two.work("a").await;
    two.first.publish(vec![event("a", None, 1)]).await.unwrap();
    two.first.idle().await.unwrap();
    two.stop_the_times().await;
    let update = tokio::spawn(two.update("b"));
    two.has_looked(2).await;
    // What is asked later must not overtake it.
    let id = two.checkpoints.subscriptions().await.unwrap()[0].id;
    two.checkpoints.request(id, LaneId(0), RequestKind::Discard { seq: 1, key: 0 }).await.unwrap();
    two.has_looked(3).await;
    assert_eq!(two.revision().await, 1);
    two.go_on().await;
    update.await.unwrap();
    assert_eq!(two.revision().await, 2);
    two.second.publish(vec![event("b", None, 2)]).await.unwrap();
    two.first.idle().await.unwrap();
    assert_eq!(handler.seen(), [("{\"n\":1}".to_owned(), 1), ("{\"n\":2}".to_owned(), 1)]);
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_takes_a_lane_that_is_to_go_by_a_definition_he_does_not_know() {
    let two = Two::start().await;
    two.update("a").await;
    two.stop_the_times().await;
    two.update("b").await;
    let handler = two.work("a").await;
    two.second.publish(vec![event("b", None, 1)]).await.unwrap();
    two.has_looked(1).await;
    two.go_on().await;
    while handler.seen().is_empty() {
        two.first.idle().await.unwrap();
    }
    assert_eq!(handler.seen(), [("{\"n\":1}".to_owned(), 1)]);
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_puller_who_does_not_know_a_definition_passes_nothing_by() {
    let (two, owner, s) = (Two::start().await, Owner::Installation, name("s"));
    two.first.put(owner.clone(), s.clone(), definition("a", Mode::Pull), false).await.unwrap();
    two.first.publish(vec![event("a", None, 1)]).await.unwrap();
    two.stop_the_times().await;
    // As far as another process gets that is killed while it updates.
    let before = two.checkpoints.subscriptions().await.unwrap().remove(0);
    let after = SubscriptionRecord {
        version: before.version + 1,
        revision: 2,
        earlier: vec![(1, before.definition.clone())],
        definition: definition("b", Mode::Pull),
        ..before.clone()
    };
    assert!(two.checkpoints.save_subscription(&after, Some(before.version), &[]).await.unwrap());
    let redefine = RequestKind::Redefine { revision: 2, end: 1 };
    two.checkpoints.request(after.id, LaneId(0), redefine).await.unwrap();
    two.second.publish(vec![event("b", None, 2)]).await.unwrap();
    two.has_looked(1).await;
    let pulled = two.first.pull(&owner, &s, 10, Duration::ZERO).await.unwrap();
    assert_eq!(pulled[0].entry.event().unwrap().payload.as_str(), "{\"n\":1}");
    assert_eq!((pulled.len(), two.revision().await), (1, 2));
    two.go_on().await;
    let pulled = two.first.pull(&owner, &s, 10, Duration::from_secs(5)).await.unwrap();
    assert_eq!(pulled[0].entry.event().unwrap().payload.as_str(), "{\"n\":2}");
    two.stop().await;
}
