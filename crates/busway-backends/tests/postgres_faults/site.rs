//! An engine on a database, with a subscription that notes what it handles and one that is pulled.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use busway_core::{Definition, Mode, Owner, Patterns, Seam, Start, SubscriptionName};
use busway_engine::{BoxFuture, Config, Delivery, Engine, Handler, Leased, Outcome, Settlements};
use tokio::sync::watch;

use crate::numbered::{event, number};

pub(crate) const OWNER: Owner = Owner::Installation;
/// How long a puller has what it pulled.
const LEASE_MS: u64 = 3_000;
const KEYS: u64 = 20;
/// Against hanging alone.
const LIMIT: Duration = Duration::from_secs(300);

/// What a `run` subscription handled, in order.
#[derive(Debug, Default)]
pub(crate) struct Handled {
    numbers: Mutex<Vec<u64>>,
    count: watch::Sender<usize>,
}

impl Handler for Handled {
    fn handle(self: Arc<Self>, delivery: Delivery) -> BoxFuture<Outcome> {
        let mut numbers = self.numbers.lock().unwrap();
        numbers.push(number(&delivery.event));
        self.count.send_replace(numbers.len());
        drop(numbers);
        Box::pin(async { Outcome::Done })
    }
}

pub(crate) struct Site {
    pub(crate) engine: Engine,
    handled: Arc<Handled>,
}

/// The key of an event.
pub(crate) fn key(n: u64) -> String {
    format!("k{}", n % KEYS)
}

/// The subscription that is pulled.
pub(crate) fn pulled() -> SubscriptionName {
    SubscriptionName::new("pulled").unwrap()
}

fn definition(mode: Mode) -> Definition {
    let definition = Definition::new(Patterns::parse(["*"]).unwrap(), mode);
    Definition { start: Start::Earliest, ack_timeout_ms: LEASE_MS, ..definition }
}

impl Site {
    pub(crate) async fn open(url: &str) -> Self {
        let stores = busway_backends::open(url, Seam::system()).await.unwrap();
        let engine = Engine::start(stores, Config::default(), Seam::system()).await.unwrap();
        let handled = Arc::new(Handled::default());
        let name = SubscriptionName::new("run").unwrap();
        engine.subscribe(OWNER, name, definition(Mode::Run), false, handled.clone()).await.unwrap();
        engine.put(OWNER, pulled(), definition(Mode::Pull), false).await.unwrap();
        Self { engine, handled }
    }

    pub(crate) fn handled(&self) -> Vec<u64> {
        self.handled.numbers.lock().unwrap().clone()
    }

    /// Waits until so many runs are done.
    pub(crate) async fn until_handled(&self, count: usize) {
        let mut counting = self.handled.count.subscribe();
        let waited = tokio::time::timeout(LIMIT, counting.wait_for(|handled| *handled >= count)).await;
        assert!(waited.is_ok(), "handled {} of {count}", self.handled().len());
    }

    pub(crate) async fn publish(&self, numbers: impl IntoIterator<Item = u64>) {
        let numbers: Vec<u64> = numbers.into_iter().collect();
        for batch in numbers.chunks(10) {
            let events = batch.iter().map(|n| event(*n, &key(*n))).collect();
            self.engine.publish(events).await.unwrap();
        }
    }

    /// Pulls up to so many, waiting for the first.
    pub(crate) async fn pull(&self, max: usize, wait: Duration) -> Vec<Leased> {
        self.engine.pull(&OWNER, &pulled(), max, wait).await.unwrap()
    }

    /// How many of these deliveries could be acknowledged.
    pub(crate) async fn acknowledge(&self, ids: impl IntoIterator<Item = String>) -> usize {
        let settlements = Settlements { ack: ids.into_iter().collect(), ..Settlements::default() };
        let settled = self.engine.settle(&OWNER, &pulled(), settlements).await.unwrap();
        settled.iter().filter(|settled| settled.settled).count()
    }
}

/// The number of the event that was leased.
pub(crate) fn number_of(leased: &Leased) -> u64 {
    number(leased.entry.event().unwrap())
}
