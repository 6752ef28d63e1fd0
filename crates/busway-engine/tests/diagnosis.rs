//! What the engine tells of subscriptions that need a hand, on a clock that is held.

#![allow(clippy::unwrap_used, reason = "an engine that cannot be started ends its test")]

use std::{sync::Arc, time::Duration};

use busway_core::{
    Clock, Definition, EventType, Finding, Level, ManualClock, Mode, NewEvent, Owner, Patterns, Payload, Seam,
    SeededRandom, SubscriptionName, TenantId, Timestamp, memory::Memory,
};
use busway_engine::{BoxFuture, Config, Delivery, Engine, Handler, Outcome, SettleDead, Settlements};

struct Accepting;

impl Handler for Accepting {
    fn handle(self: Arc<Self>, _: Delivery) -> BoxFuture<Outcome> {
        Box::pin(async { Outcome::Done })
    }
}

async fn engine(config: Config) -> (Engine, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_760_000_000_000)));
    let seam = Seam::new(clock.clone() as Arc<dyn Clock>, Arc::new(SeededRandom::new(7)));
    let stores = Memory::with_lanes(seam.clone(), 1).stores();
    (Engine::start(stores, config, seam).await.unwrap(), clock)
}

fn name(text: &str) -> SubscriptionName {
    SubscriptionName::new(text).unwrap()
}

async fn pull(engine: &Engine, owner: Owner) {
    engine.put(owner, name("crm"), Definition::new(Patterns::all(), Mode::Pull), false).await.unwrap();
}

async fn publish(engine: &Engine) {
    let event = NewEvent::new(EventType::new("a").unwrap(), Payload::from_json("{}").unwrap());
    engine.publish(vec![event.with_tenant(TenantId::new("acme").unwrap())]).await.unwrap();
}

/// What is told of subscriptions: what was looked at, how bad it is, of which.
async fn told(engine: &Engine) -> Vec<(&'static str, Level, Option<String>)> {
    let of_subscriptions = |finding: &Finding| finding.check != "durability";
    let findings = engine.diagnose().await.unwrap().into_iter().filter(of_subscriptions);
    findings.map(|finding| (finding.check, finding.level, finding.subject)).collect()
}

fn of(subject: &str, check: &'static str, level: Level) -> (&'static str, Level, Option<String>) {
    (check, level, Some(subject.to_owned()))
}

#[tokio::test]
async fn a_subscription_that_keeps_up_needs_no_hand() {
    let (engine, clock) = engine(Config::default()).await;
    assert_eq!(told(&engine).await, [("subscriptions", Level::Ok, None)]);
    pull(&engine, Owner::Installation).await;
    clock.advance(Duration::from_secs(86_400));
    publish(&engine).await;
    assert_eq!(told(&engine).await, [("subscriptions", Level::Ok, None)]);
}

#[tokio::test]
async fn one_that_is_not_read_is_behind_and_then_pins_the_log() {
    let (engine, clock) = engine(Config { retention: Some(Duration::from_secs(3_600)), ..Config::default() }).await;
    pull(&engine, Owner::Tenant(TenantId::new("acme").unwrap())).await;
    publish(&engine).await;
    clock.advance(Duration::from_secs(300));
    assert_eq!(told(&engine).await, [("subscriptions", Level::Ok, None)]);
    clock.advance(Duration::from_secs(1));
    assert_eq!(told(&engine).await, [of("acme/crm", "lag", Level::Warn)]);
    clock.advance(Duration::from_secs(3_600));
    let both = [of("acme/crm", "lag", Level::Warn), of("acme/crm", "pins_log", Level::Warn)];
    assert_eq!(told(&engine).await, both);
}

#[tokio::test]
async fn one_that_is_paused_says_so_once_something_waits() {
    let (engine, clock) = engine(Config::default()).await;
    pull(&engine, Owner::Installation).await;
    engine.pause(&Owner::Installation, &name("crm")).await.unwrap();
    assert_eq!(told(&engine).await, [("subscriptions", Level::Ok, None)]);
    publish(&engine).await;
    clock.advance(Duration::from_secs(1));
    assert_eq!(told(&engine).await, [of("crm", "paused", Level::Warn)]);
}

#[tokio::test]
async fn a_dead_letter_waits_for_somebody() {
    let (engine, _) = engine(Config::default()).await;
    pull(&engine, Owner::Installation).await;
    publish(&engine).await;
    let leased = engine.pull(&Owner::Installation, &name("crm"), 1, Duration::ZERO).await.unwrap();
    let dead = vec![SettleDead { id: leased[0].delivery_id.clone(), error: None }];
    let settlements = Settlements { dead, ..Settlements::default() };
    engine.settle(&Owner::Installation, &name("crm"), settlements).await.unwrap();
    assert_eq!(told(&engine).await, [of("crm", "dead_letters", Level::Warn)]);
}

#[tokio::test]
async fn a_listener_that_is_gone_is_a_failure_after_a_minute() {
    let (engine, clock) = engine(Config::default()).await;
    let definition = Definition::new(Patterns::all(), Mode::Run);
    engine.subscribe(Owner::Installation, name("chat"), definition, false, Arc::new(Accepting)).await.unwrap();
    engine.unsubscribe(&Owner::Installation, &name("chat")).await.unwrap();
    publish(&engine).await;
    clock.advance(Duration::from_secs(60));
    assert_eq!(told(&engine).await, [("subscriptions", Level::Ok, None)]);
    clock.advance(Duration::from_secs(1));
    assert_eq!(told(&engine).await, [of("chat", "lag", Level::Fail)]);
}
