use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use busway_core::{Clock, Event, ManualClock, Order, Timestamp};
use uuid::Uuid;

use super::{
    material::number,
    way::{Gate, State},
};
use crate::{
    BoxFuture, Delivery, Handler, Outcome,
    conformance::{Ended, History, Record},
};

/// Tells runs of one history from each other.
static RUNS: AtomicU64 = AtomicU64::new(0);

/// What a handler does with one delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Acknowledges it.
    Done,
    /// Fails; tried again by the policy.
    Fail,
    /// Fails; tried again after this long.
    FailFor(Duration),
    /// Fails for good.
    Die,
    /// Panics.
    Panic,
    /// Runs this long, then acknowledges.
    Last(Duration),
    /// Asks for this much more time, runs that long, acknowledges.
    Extend(Duration, Duration),
    /// Never ends.
    Hang,
    /// Kills its process.
    Kill,
}

/// Decides what is done with each delivery.
pub(super) type Script = Arc<dyn Fn(&Delivery) -> Act + Send + Sync>;

/// One delivery, as its handler saw it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// By which member.
    pub(super) member: usize,
    /// The number of the event.
    pub(super) n: u64,
    /// The event.
    pub(super) event: Arc<Event>,
    /// Runs begun, as it was told.
    pub(super) attempt: u32,
    /// The fence it was told.
    pub(super) fence: u64,
    /// When the store took the event, as it was told.
    pub(super) stored_at: Timestamp,
    /// Of which replay.
    pub(super) replay: Option<Uuid>,
    /// When it started.
    pub(super) started: Duration,
    /// When it ended, and how.
    pub(super) ended: Option<(Duration, Ended)>,
    /// How many of the subscription ran then, this one included.
    pub(super) beside: usize,
}

impl Seen {
    pub(super) fn acked(&self) -> bool {
        matches!(self.ended, Some((_, Ended::Ack)))
    }
}

/// Everything that the handlers of one subscription saw. Clones share one book.
#[derive(Clone, Default)]
pub(super) struct Book(Arc<Mutex<Pages>>);

#[derive(Default)]
struct Pages {
    seen: Vec<Seen>,
    running: usize,
    acked: usize,
}

impl Book {
    fn lock(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every run so far, in the order of their starts.
    pub(super) fn runs(&self) -> Vec<Seen> {
        self.lock().seen.clone()
    }

    /// How many were acknowledged.
    pub(super) fn acked(&self) -> usize {
        self.lock().acked
    }

    /// How many runs were begun.
    pub(super) fn begun(&self) -> usize {
        self.lock().seen.len()
    }

    /// The numbers of the events that were acknowledged, in the order of their starts.
    pub(super) fn numbers(&self) -> Vec<u64> {
        self.lock().seen.iter().filter(|seen| seen.acked()).map(|seen| seen.n).collect()
    }

    /// Every run of an event.
    pub(super) fn of(&self, n: u64) -> Vec<Seen> {
        self.lock().seen.iter().filter(|seen| seen.n == n).cloned().collect()
    }

    /// Runs under way.
    pub(super) fn running(&self) -> usize {
        self.lock().running
    }
}

/// A handler that follows a script and writes down what it saw.
pub(super) struct Acting {
    pub(super) member: usize,
    pub(super) subscription: String,
    pub(super) order: Order,
    pub(super) script: Script,
    /// Types that it can handle; all if none is named.
    pub(super) types: Vec<&'static str>,
    pub(super) book: Book,
    pub(super) history: History,
    pub(super) gate: Arc<Gate>,
    pub(super) clock: Arc<ManualClock>,
}

impl Acting {
    fn key(&self, event: &Event) -> Option<String> {
        match (&event.key, self.order) {
            (_, Order::None) => None,
            (Some(key), _) => Some(format!("{}/{key}", event.tenant)),
            (None, Order::Type) => Some(format!("{}/:{}", event.tenant, event.event_type)),
            (None, Order::Key) => None,
        }
    }

    /// Writes down that a run has begun.
    fn begin(self: &Arc<Self>, delivery: &Delivery) -> Running {
        let started = self.clock.elapsed();
        let mut pages = self.book.lock();
        pages.running += 1;
        let (index, beside) = (pages.seen.len(), pages.running);
        pages.seen.push(Seen {
            member: self.member,
            n: number(&delivery.event),
            event: Arc::clone(&delivery.event),
            attempt: delivery.attempt,
            fence: delivery.fence,
            stored_at: delivery.stored_at,
            replay: delivery.replay,
            started,
            ended: None,
            beside,
        });
        drop(pages);
        let run = RUNS.fetch_add(1, Ordering::Relaxed);
        self.history.note(
            started,
            Record::Started {
                process: self.member,
                subscription: self.subscription.clone(),
                event: number(&delivery.event),
                key: self.key(&delivery.event),
                attempt: delivery.attempt,
                replay: delivery.replay.is_some(),
                run,
            },
        );
        Running { acting: Arc::clone(self), index, run, noted: false }
    }
}

/// A run under way; if it is given up, that is written down.
struct Running {
    acting: Arc<Acting>,
    index: usize,
    run: u64,
    noted: bool,
}

impl Running {
    fn end(&mut self, ended: Ended) {
        self.noted = true;
        let now = self.acting.clock.elapsed();
        let mut pages = self.acting.book.lock();
        pages.running -= 1;
        pages.acked += usize::from(ended == Ended::Ack);
        pages.seen[self.index].ended = Some((now, ended));
        drop(pages);
        self.acting.history.note(now, Record::Finished { run: self.run, ended });
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.noted && self.acting.gate.state() != State::Dead {
            self.end(Ended::Dropped);
        }
    }
}

impl Handler for Acting {
    fn handles(&self, event_type: &busway_core::EventType) -> bool {
        self.types.is_empty() || self.types.contains(&event_type.as_str())
    }

    fn handle(self: Arc<Self>, delivery: Delivery) -> BoxFuture<Outcome> {
        Box::pin(async move {
            if self.gate.state() == State::Dead {
                std::future::pending::<()>().await;
            }
            let mut running = self.begin(&delivery);
            let act = (self.script)(&delivery);
            match &act {
                Act::Last(long) => self.clock.sleep(*long).await,
                Act::Extend(by, long) => {
                    delivery.deadline.extend(*by);
                    self.clock.sleep(*long).await;
                }
                Act::Hang => std::future::pending().await,
                Act::Kill => {
                    let by = Some(number(&delivery.event));
                    self.history.note(self.clock.elapsed(), Record::Killed { process: self.member, by });
                    running.noted = true;
                    self.gate.set(State::Dead);
                }
                _ => {}
            }
            // What a stopped process does happens when it goes on, and what a dead one does never.
            self.gate.pass().await;
            let failed = |delay| Outcome::Retry { delay, error: format!("run {} failed", delivery.attempt) };
            let (ended, outcome) = match act {
                Act::Fail => (Ended::Retry, failed(None)),
                Act::FailFor(delay) => (Ended::Retry, failed(Some(delay))),
                Act::Die => (Ended::Dead, Outcome::Dead { error: "beyond help".into() }),
                Act::Panic => {
                    running.end(Ended::Retry);
                    panic!("a handler of the suite panics on purpose")
                }
                _ => (Ended::Ack, Outcome::Done),
            };
            running.end(ended);
            outcome
        })
    }
}
