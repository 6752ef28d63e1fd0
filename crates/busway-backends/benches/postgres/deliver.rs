//! Delivering a backlog, beside a raw loop and the peers.

use busway_core::Start;

use crate::{
    bus::Bus,
    database::Fresh,
    events,
    peers::Peers,
    raw,
    size::Size,
    table::{Figures, row},
};

pub(crate) const TWELVE: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
const BATCH: usize = 1_000;
const PUBLISHERS: usize = 4;

pub(crate) struct Deliver {
    one: Figures,
    logged: Figures,
    twelve: Figures,
    twelve_logged: Figures,
    raw: Figures,
}

impl Deliver {
    pub(crate) fn new() -> Self {
        let (rate, logged) = (|| Figures::new("/s"), || Figures::new(" bytes"));
        Self { one: rate(), logged: logged(), twelve: rate(), twelve_logged: logged(), raw: rate() }
    }

    pub(crate) async fn round(&mut self, size: &Size) {
        let fresh = with_backlog(size.backlog).await;
        let bus = fresh.bus().await;
        let (rate, logged) = deliver(&fresh, &bus, &TWELVE[..1], size.backlog).await;
        self.one.add(rate);
        self.logged.add(logged);
        self.raw.add(size.backlog as f64 / raw::deliver(&fresh, size.backlog).await.as_secs_f64());
        let (rate, logged) = deliver(&fresh, &bus, &TWELVE, size.backlog).await;
        self.twelve.add(rate);
        self.twelve_logged.add(logged);
        bus.close().await;
        fresh.remove().await;
    }

    pub(crate) fn print(&self, peers: &Peers) {
        let Self { one, logged, twelve, twelve_logged, raw } = self;
        let what = "Postgres, a backlog to one subscription";
        row(what, one, Some(("raw loop, 1,000 rows read and a position written", raw)), 0.7..);
        let others = [
            "Watermill drain, one group, 50000 a query",
            "pgmq read and delete, 5000 a call",
            "pgmq read and archive, 5000 a call",
        ];
        for peer in others {
            peers.row(what, one, peer, ..);
        }
        let what = "Postgres, a backlog to twelve subscriptions, in sum";
        row(what, twelve, Some(("to one subscription", one)), 8.0..);
        let what = "Postgres, WAL for each event delivered to one subscription";
        row(what, logged, None, ..);
        peers.row(what, logged, "pgmq read and delete, 5000 a call, WAL", ..);
        row("Postgres, WAL for each event delivered to one of twelve", twelve_logged, None, ..);
    }
}

/// Deliveries a second, and bytes of WAL for each.
async fn deliver(fresh: &Fresh, bus: &Bus, names: &[&str], events: usize) -> (f64, f64) {
    let deliveries = (names.len() * events) as f64;
    let before = fresh.logged().await;
    let took = bus.deliver(names, Start::Earliest, events).await;
    (deliveries / took.as_secs_f64(), (fresh.logged().await - before) / deliveries)
}

/// A log of so many events.
pub(crate) async fn with_backlog(events: usize) -> Fresh {
    let fresh = Fresh::new();
    let bus = fresh.bus().await;
    let mut new = events::new(events);
    let batches = (0..events.div_ceil(BATCH)).map(|_| new.by_ref().take(BATCH).collect()).collect();
    bus.publish(batches, PUBLISHERS).await;
    bus.close().await;
    fresh.settle().await;
    fresh
}
