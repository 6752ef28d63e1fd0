//! Delivering a backlog on SQLite.

use std::path::Path;

use busway_core::Start;

use crate::{
    store,
    table::{Figures, row},
};

const TWELVE: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];

pub(crate) struct Deliver {
    one: Figures,
    twelve: Figures,
}

impl Deliver {
    pub(crate) fn new() -> Self {
        Self { one: Figures::new("/s"), twelve: Figures::new("/s") }
    }

    /// Opens the file anew, so that nothing is at hand from publishing.
    pub(crate) async fn round(&mut self, file: &Path) {
        let bus = store::sqlite(file).await;
        let events = bus.engine.stores().log.heads().await.unwrap().seqs.iter().sum::<u64>() as usize;
        let took = bus.deliver(&TWELVE[..1], Start::Earliest, events).await;
        self.one.add(events as f64 / took.as_secs_f64());
        let took = bus.deliver(&TWELVE, Start::Earliest, events).await;
        self.twelve.add((TWELVE.len() * events) as f64 / took.as_secs_f64());
        bus.close().await;
    }

    pub(crate) fn print(&self, published: &Figures) {
        let one = "SQLite, a backlog to one subscription";
        row(one, &self.one, Some(("publishing, 512 publishers", published)), 1.0..);
        let twelve = "SQLite, a backlog to twelve subscriptions, in sum";
        row(twelve, &self.twelve, Some(("to one subscription", &self.one)), 4.0..);
    }
}
