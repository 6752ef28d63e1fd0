use std::{
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use busway_core::{Clock, Event as RawEvent, ManualClock, Patterns, Seam, SeededRandom, SubscriptionName, Timestamp};
use busway_engine::{Config, DeliveryState, DeliveryView};
use futures::FutureExt;
use tokio::runtime::{Handle, RuntimeFlavor};

use super::{Faults, Report, Unhandled};
use crate::{Bus, Event, EventType};

/// When a test's clock starts: 2026-01-01T00:00:00Z.
const START_MILLIS: i64 = 1_767_225_600_000;

/// There is one process, so its heartbeats matter to nobody, and would slow the clock down.
const LEASE: Duration = Duration::from_secs(24 * 3_600);
/// How long a run may take, in real time, before a test is told that it has not ended.
const LONG_RUN: Duration = Duration::from_secs(10);
/// How long the clock waits for runs, in real time, before it moves on without them.
const SHORT_RUN: Duration = Duration::from_millis(500);
/// The same where other threads, which may be late themselves, run them.
const SHORT_RUN_ELSEWHERE: Duration = Duration::from_secs(5);
/// Turns after which what the clock woke is seen to be busy, however many tasks wake one another.
const BEGINNINGS: usize = 16;
/// Turns in which the tasks of one thread do all that needs nobody else.
const TURNS: usize = 256;

/// A bus in memory with a held clock and seeded randomness: what is due runs, and nothing becomes due by itself.
///
/// # Panics
/// If the bus cannot be opened.
pub async fn bus() -> TestBus {
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(START_MILLIS)));
    let seam = Seam::new(clock.clone(), Arc::new(SeededRandom::new(1)));
    let faults = Faults::default();
    let config = Config { lease: LEASE, ..Config::default() };
    let bus = crate::open("memory:").app("test").config(config).seam(seam).faults(faults.clone()).await;
    let bus = bus.unwrap_or_else(|error| panic!("a bus in memory opens: {error}"));
    let (published, now) = (Published::default(), clock.clone());
    let record = published.clone();
    bus.engine().inline().on_types("busway::testing", Patterns::all(), move |occurrence| {
        if let Some(event) = occurrence.event() {
            record.lock().push(Stored { event: Arc::clone(event), stored_at: now.now() });
        }
        Ok(())
    });
    TestBus { bus, clock, faults, published }
}

/// A bus for tests: a [`Bus`] with more verbs.
#[derive(Debug)]
pub struct TestBus {
    bus: Bus,
    clock: Arc<ManualClock>,
    faults: Faults,
    published: Published,
}

/// The events that were published, in their order.
#[derive(Clone, Debug, Default)]
struct Published(Arc<Mutex<Vec<Stored>>>);

impl Published {
    fn lock(&self) -> MutexGuard<'_, Vec<Stored>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone, Debug)]
struct Stored {
    event: Arc<RawEvent>,
    stored_at: Timestamp,
}

impl TestBus {
    /// The events of this type that were published so far, oldest first.
    ///
    /// # Panics
    /// If one of them does not fit the type.
    #[track_caller]
    pub fn published<T: EventType>(&self) -> Vec<Event<T>> {
        let read = |stored: &Stored| match Event::read(&stored.event, stored.stored_at) {
            Ok(event) => event,
            Err(undecodable) => {
                panic!("{} {} was published: {undecodable}", stored.event.event_type, stored.event.payload.as_str())
            }
        };
        self.published.lock().iter().filter(|stored| stored.event.event_type.as_str() == T::NAME).map(read).collect()
    }

    /// Panics unless an event of this type was published that meets the condition; says what was published.
    #[track_caller]
    pub fn assert_published<T: EventType>(&self, condition: impl Fn(&Event<T>) -> bool) {
        if !self.published::<T>().iter().any(condition) {
            panic!("no {} that meets the condition was published, but:{}", T::NAME, self.listed());
        }
    }

    fn listed(&self) -> String {
        let stored = self.published.lock();
        let line = |stored: &Stored| {
            let RawEvent { event_type, tenant, payload, .. } = &*stored.event;
            format!("\n  {event_type} of {tenant} {}", payload.as_str())
        };
        if stored.is_empty() { " nothing".into() } else { stored.iter().map(line).collect() }
    }

    /// Makes the next run of this listener fail with this error, without running it; said twice, the next two.
    ///
    /// # Panics
    /// If the name cannot be a listener's.
    #[track_caller]
    pub fn fail_next(&self, listener: &str, error: &str) {
        match SubscriptionName::new(listener) {
            Ok(name) => self.faults.add(name, error.into()),
            Err(error) => panic!("{error}"),
        }
    }

    /// Waits until everything that is due has run, and tells what is not handled. A run that does not end within
    /// ten seconds of real time is told as well.
    pub async fn drain(&self) -> Report {
        self.settle(LONG_RUN).await;
        self.report().await
    }

    /// Moves the clock: retries fall due in their order, and run at their time. What listeners do meanwhile takes
    /// none of this time; a run that waits for the clock, or for ever, does not hold it up.
    pub async fn advance(&self, by: Duration) -> Report {
        let end = self.clock.elapsed() + by;
        let mut patience = match Handle::current().runtime_flavor() {
            RuntimeFlavor::CurrentThread => SHORT_RUN,
            _ => SHORT_RUN_ELSEWHERE,
        };
        loop {
            if !self.settle(patience).await {
                patience = Duration::ZERO;
            }
            let next = self.clock.next_due().map_or(end, |due| due.min(end));
            self.clock.advance(next.saturating_sub(self.clock.elapsed()));
            if next == end {
                self.settle(patience).await;
                return self.report().await;
            }
        }
    }

    /// Waits until everything that was due has run; false if that takes longer than this.
    async fn settle(&self, patience: Duration) -> bool {
        let mut quiet = 0;
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
            quiet = if self.bus.idle().now_or_never().is_some() { quiet + 1 } else { 0 };
            if quiet == BEGINNINGS {
                return true;
            }
        }
        match tokio::time::timeout(patience, self.bus.idle()).await {
            Ok(idle) => {
                idle.unwrap_or_else(|error| panic!("the store in memory answers: {error}"));
                true
            }
            Err(_) => false,
        }
    }

    async fn report(&self) -> Report {
        let published = self.published.lock().clone();
        let mut report = Report { published: published.len(), unhandled: Vec::new() };
        for Stored { event, .. } in published {
            let found = self.bus.engine().event(Some(&event.tenant), None, &event.id.to_string()).await;
            let found = found.unwrap_or_else(|error| panic!("event {} is kept: {error}", event.id));
            let open = found.deliveries.into_iter().filter(|delivery| delivery.state != DeliveryState::Delivered);
            report.unhandled.extend(open.map(|delivery| unhandled(&event, delivery)));
        }
        report
    }
}

fn unhandled(event: &Arc<RawEvent>, delivery: DeliveryView) -> Unhandled {
    Unhandled {
        listener: delivery.subscription,
        event: Arc::clone(event),
        state: delivery.state,
        attempts: delivery.attempts,
        error: delivery.failures.last().map(|failure| failure.error.to_string()),
    }
}

impl Deref for TestBus {
    type Target = Bus;

    fn deref(&self) -> &Bus {
        &self.bus
    }
}
