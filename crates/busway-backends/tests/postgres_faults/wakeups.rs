//! How a store says in its trace whether it listens or polls.

use std::sync::{Arc, Mutex};

use busway_backends::postgres::{Config, Postgres};
use busway_core::Seam;
use busway_testbed::{pgbouncer::PgBouncer, postgres::Server};
use tokio::sync::watch;
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span,
};

/// Longer than a store tries whether notifications arrive.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(60);
const POLLS: &str = "the log is polled";
const LISTENS: &str = "notifications arrive";

/// Takes down what is told by level info and above.
#[derive(Clone, Debug, Default)]
struct Told {
    lines: Arc<Mutex<Vec<String>>>,
    count: Arc<watch::Sender<usize>>,
}

impl Told {
    async fn says(&self, what: &str) {
        let mut counting = self.count.subscribe();
        let said = || self.lines.lock().unwrap().iter().any(|line| line.contains(what));
        let waited = tokio::time::timeout(LIMIT, counting.wait_for(|_| said())).await;
        assert!(waited.is_ok(), "{what}: not among {:?}", self.lines.lock().unwrap());
    }
}

impl Visit for Told {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.lines.lock().unwrap().push(format!("{value:?}"));
        }
    }
}

impl Subscriber for Told {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= LevelFilter::INFO
    }

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
        self.count.send_modify(|count| *count += 1);
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// What a store at this URL tells of how it is woken.
async fn says(url: &str, what: &str) {
    let told = Told::default();
    let _guard = tracing::subscriber::set_default(told.clone());
    let config = Config::from_url(url).unwrap();
    let store = Postgres::open(config, Seam::system()).await.unwrap();
    told.says(what).await;
    store.close().await;
}

fn with(url: &str, parameter: &str) -> String {
    format!("{url}{}{parameter}", if url.contains('?') { '&' } else { '?' })
}

#[tokio::test]
async fn a_store_says_whether_it_listens_or_polls() {
    let Some(server) = Server::shared() else { return };
    let Some(pooler) = PgBouncer::start(server) else { return };
    let database = server.database();
    let pooled = pooler.url(&database);
    says(&database.url, LISTENS).await;
    says(&with(&database.url, "listen=off"), POLLS).await;
    says(&pooled, POLLS).await;
    says(&with(&pooled, &format!("listen={}", server.address())), LISTENS).await;
}
