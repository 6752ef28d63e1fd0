use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use busway_backends::postgres::{Config, Postgres};
use busway_core::{Definition, Mode, Owner, Patterns, Seam, SubscriptionName};
use busway_engine::{BoxFuture, Delivery, Engine, Handler, Outcome};
use busway_testbed::postgres::{Database, Server};
use serde_json::Value;
use tokio::sync::watch;
use tokio_postgres::Client;
use uuid::Uuid;

/// Against hanging alone.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// The tables of an application, and a function by which it changes an order and tells of it. Who changes an order has
/// its row until the end, so `n` counts the commits of a key.
const TABLES: &str = "
    create table orders (key text primary key, n int not null);
    create table told (event uuid primary key, key text not null, n int not null);
    create table unguarded (id bigint generated always as identity primary key, event uuid not null);
    create function change(which text) returns uuid language plpgsql as $$
    declare
        event uuid;
        nth int;
    begin
        insert into orders as o values (which, 1) on conflict (key) do update set n = o.n + 1 returning n into nth;
        event := busway.publish('order.changed', 'acme', json_build_object('key', which, 'n', nth), which);
        insert into told values (event, which, nth);
        insert into unguarded (event) values (event);
        return event;
    end $$";

/// An application with a bus in its database.
pub(crate) struct Shop {
    pub(crate) database: Database,
    pub(crate) engine: Engine,
    pub(crate) heard: Arc<Heard>,
}

impl Shop {
    pub(crate) async fn open(server: &Server) -> Self {
        let database = server.database();
        let config = Config::from_url(&format!("{}?pool=4", database.url)).unwrap();
        let seam = Seam::system();
        let stores = Postgres::open(config, seam.clone()).await.unwrap().stores();
        let engine = Engine::start(stores, busway_engine::Config::default(), seam).await.unwrap();
        let heard = Arc::new(Heard::default());
        let definition = Definition::new(Patterns::parse(["order.*"]).unwrap(), Mode::Run);
        let name = SubscriptionName::new("ledger").unwrap();
        engine.subscribe(Owner::Installation, name, definition, false, heard.clone()).await.unwrap();
        let shop = Self { database, engine, heard };
        shop.client().await.batch_execute(TABLES).await.unwrap();
        shop
    }

    pub(crate) async fn client(&self) -> Client {
        self.database.client().await
    }

    /// What committed transactions have told: the events, and by key how many.
    pub(crate) async fn told(&self) -> Told {
        let rows = self.client().await.query("select event, key, n from told order by key, n", &[]).await.unwrap();
        let mut told = Told::default();
        for row in rows {
            told.events.insert(row.get(0));
            told.counts.entry(row.get(1)).or_default().push(row.get(2));
        }
        told
    }

    /// Waits until all that was told is heard, then checks that it was heard once, in the order of each key, and that
    /// nothing else was.
    pub(crate) async fn check_heard(&self) -> Told {
        let told = self.told().await;
        self.heard.until(told.events.len()).await;
        self.engine.idle().await.unwrap();
        let heard = self.heard.all();
        let events: BTreeSet<Uuid> = heard.iter().map(|(event, ..)| *event).collect();
        let missing = told.events.difference(&events).count();
        let foreign = events.difference(&told.events).count();
        assert_eq!((missing, foreign, heard.len() - events.len()), (0, 0, 0), "lost, rolled back, repeated");
        for (key, counts) in &told.counts {
            let of_key: Vec<i32> = heard.iter().filter(|(_, of, _)| of == key).map(|(.., n)| *n).collect();
            assert_eq!(of_key, *counts, "key {key}");
        }
        told
    }
}

/// What committed transactions have told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) events: BTreeSet<Uuid>,
    pub(crate) counts: BTreeMap<String, Vec<i32>>,
}

/// Notes everything that it hears, in order.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    events: Mutex<Vec<(Uuid, String, i32)>>,
    count: watch::Sender<usize>,
}

impl Heard {
    fn events(&self) -> MutexGuard<'_, Vec<(Uuid, String, i32)>> {
        self.events.lock().unwrap()
    }

    /// Event, key and number of all that was heard so far.
    pub(crate) fn all(&self) -> Vec<(Uuid, String, i32)> {
        self.events().clone()
    }

    /// Waits until all of these were heard.
    pub(crate) async fn until_all(&self, events: &BTreeSet<Uuid>) {
        let mut counted = self.count.subscribe();
        let is_all = |_: &usize| {
            let heard: BTreeSet<Uuid> = self.events().iter().map(|(event, ..)| *event).collect();
            events.is_subset(&heard)
        };
        let waited = tokio::time::timeout(PATIENCE, counted.wait_for(is_all)).await;
        assert!(waited.is_ok(), "of {} events some were never heard among {}", events.len(), *self.count.borrow());
    }

    /// Waits until so many were heard.
    pub(crate) async fn until(&self, count: usize) {
        let mut counted = self.count.subscribe();
        let waited = tokio::time::timeout(PATIENCE, counted.wait_for(|heard| *heard >= count)).await;
        assert!(waited.is_ok(), "heard {} of {count}", self.events().len());
    }
}

impl Handler for Heard {
    fn handle(self: Arc<Self>, delivery: Delivery) -> BoxFuture<Outcome> {
        let payload: Value = delivery.event.payload.parse().unwrap();
        let (key, n) = (payload["key"].as_str().unwrap().to_owned(), payload["n"].as_i64().unwrap() as i32);
        self.events().push((delivery.event.id, key, n));
        self.count.send_modify(|count| *count += 1);
        Box::pin(async { Outcome::Done })
    }
}
