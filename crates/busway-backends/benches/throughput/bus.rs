//! An engine over a store of its own. The benches of all backends share it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use busway_core::{Definition, Mode, NewEvent, Owner, Patterns, Seam, Start, Stores, SubscriptionName};
use busway_engine::{BoxFuture, Config, Delivery, Engine, Handler, Outcome};

pub(crate) struct Bus {
    pub(crate) engine: Engine,
    /// Closes the store.
    closing: BoxFuture<()>,
}

impl Bus {
    /// `closing` is what ends the store.
    pub(crate) async fn start(stores: Stores, closing: impl Future<Output = ()> + Send + 'static) -> Self {
        let engine = Engine::start(stores, Config::default(), Seam::system()).await.unwrap();
        Self { engine, closing: Box::pin(closing) }
    }

    pub(crate) async fn close(self) {
        self.engine.shutdown().await.unwrap();
        self.closing.await;
    }

    /// Makes a subscription that starts there; nobody works on it yet.
    pub(crate) async fn define(&self, name: &str, start: Start) {
        self.engine.put(Owner::Installation, named(name), definition(start), false).await.unwrap();
    }

    /// Handles a subscription from now on, in a handler that does nothing.
    pub(crate) async fn subscribe(&self, name: &str, start: Start) {
        let (definition, handler) = (definition(start), Arc::new(NoOp));
        self.engine.subscribe(Owner::Installation, named(name), definition, false, handler).await.unwrap();
    }

    async fn remove(&self, name: &str) {
        self.engine.unsubscribe(&Owner::Installation, &named(name)).await.unwrap();
        self.engine.remove(&Owner::Installation, &named(name), false).await.unwrap();
    }

    /// Delivers a backlog of so many events to each of these subscriptions, new ones or defined ones, and removes
    /// them; the time is taken when the last acknowledgement is stored.
    pub(crate) async fn deliver(&self, names: &[&str], start: Start, events: usize) -> Duration {
        let begun = Instant::now();
        futures::future::join_all(names.iter().map(|name| self.subscribe(name, start))).await;
        self.engine.idle().await.unwrap();
        let took = begun.elapsed();
        for name in names {
            assert_eq!(self.delivered(name).await, events as u64, "{name}");
            self.remove(name).await;
        }
        took
    }

    /// How many acknowledgements are stored.
    pub(crate) async fn delivered(&self, name: &str) -> u64 {
        self.engine.subscription(&Owner::Installation, &named(name)).await.unwrap().delivered_total
    }

    /// Publishes in batches of a thousand, so many publishers at once, each awaiting one before the next.
    pub(crate) async fn publish(&self, batches: Vec<Vec<NewEvent>>, publishers: usize) {
        let mut shares: Vec<Vec<Vec<NewEvent>>> = (0..publishers).map(|_| Vec::new()).collect();
        for (index, batch) in batches.into_iter().enumerate() {
            shares[index % publishers].push(batch);
        }
        let mut tasks = tokio::task::JoinSet::new();
        for share in shares {
            let engine = self.engine.clone();
            tasks.spawn(async move {
                for batch in share {
                    engine.publish(batch).await.unwrap();
                }
            });
        }
        tasks.join_all().await;
    }
}

fn named(name: &str) -> SubscriptionName {
    name.parse().unwrap()
}

fn definition(start: Start) -> Definition {
    Definition { start, ..Definition::new("*".parse::<Patterns>().unwrap(), Mode::Run) }
}

struct NoOp;

impl Handler for NoOp {
    fn handle(self: Arc<Self>, _: Delivery) -> BoxFuture<Outcome> {
        Box::pin(std::future::ready(Outcome::Done))
    }
}
