//! From publishing to a listener in another process, both idle.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use busway_core::{Definition, Mode, Owner, Patterns, Start};
use busway_engine::{BoxFuture, Delivery, Handler, Outcome};

use crate::{
    database::{Fresh, open},
    events,
    peers::Peers,
    process::{self, Process},
    size::Size,
    table::Figures,
};

pub(crate) const ALONE: &str = "latency-alone";

/// Events of which the times are not kept.
const WARM_UPS: usize = 20;
/// How long both processes idle before each event.
const IDLE: Duration = Duration::from_millis(25);

pub(crate) struct Latency {
    p50: Figures,
    p99: Figures,
}

impl Latency {
    pub(crate) fn new() -> Self {
        Self { p50: Figures::new(" ms"), p99: Figures::new(" ms") }
    }

    pub(crate) async fn round(&mut self, size: &Size) {
        let fresh = Fresh::new();
        let bus = fresh.bus().await;
        let mut listener = Process::start(&[&ALONE, &fresh.url()]);
        let mut took = Vec::with_capacity(size.samples);
        for (n, event) in events::new(WARM_UPS + size.samples).enumerate() {
            tokio::time::sleep(IDLE).await;
            let before = now();
            bus.engine.publish(vec![event]).await.unwrap();
            let begun: u128 = listener.line().parse().unwrap();
            if n >= WARM_UPS {
                took.push((begun - before) as f64 / 1e6);
            }
        }
        took.sort_by(f64::total_cmp);
        let at = |share: f64| took[(share * (took.len() - 1) as f64) as usize];
        self.p50.add(at(0.5));
        self.p99.add(at(0.99));
        listener.finish();
        bus.close().await;
        fresh.remove().await;
    }

    pub(crate) fn print(&self, peers: &Peers) {
        for (share, ours) in [("p50", &self.p50), ("p99", &self.p99)] {
            let what = format!("Postgres, idle, from publishing to a listener in another process, {share}");
            let [river, graphile] = [
                format!("River, idle insert to worker, {share}"),
                format!("graphile-worker, idle addJob to task, {share}"),
            ];
            peers.row_beside_best(&what, ours, [&river, &graphile], ..0.5);
        }
    }
}

/// The other process: prints when it began to handle each event.
pub(crate) async fn alone(url: &str) {
    let bus = open(url).await;
    let definition =
        Definition { start: Start::Latest, ..Definition::new("*".parse::<Patterns>().unwrap(), Mode::Run) };
    let name = "listener".parse().unwrap();
    bus.engine.subscribe(Owner::Installation, name, definition, false, Arc::new(Tell)).await.unwrap();
    process::ready();
    process::told().await;
    bus.close().await;
}

struct Tell;

impl Handler for Tell {
    fn handle(self: Arc<Self>, _: Delivery) -> BoxFuture<Outcome> {
        println!("{}", now());
        Box::pin(std::future::ready(Outcome::Done))
    }
}

/// Nanoseconds, by the clock that all processes share.
fn now() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()
}
