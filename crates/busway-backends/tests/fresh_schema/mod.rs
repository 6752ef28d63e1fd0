use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering},
};

use busway_backends::postgres::{Config, Postgres, StoredAt};
use busway_core::{Clock, ManualClock, Result, Seam, Stores, SystemClock, SystemRandom, conformance::Backend};
use busway_testbed::postgres::{Database, Server};

/// A schema that no other test has, in the one database of this process; its times come from a clock that is held.
pub(crate) struct FreshSchema {
    url: String,
    clock: Arc<ManualClock>,
}

impl FreshSchema {
    /// `options` are further parameters of the URL, each with a `&` before it.
    pub(crate) fn new(server: &'static Server, lanes: u16, options: &str) -> Self {
        static DATABASE: OnceLock<Database> = OnceLock::new();
        static MADE: AtomicU64 = AtomicU64::new(0);
        let database = DATABASE.get_or_init(|| server.database());
        let schema = format!("s{}", MADE.fetch_add(1, Ordering::Relaxed));
        let mark = if database.url.contains('?') { '&' } else { '?' };
        let url = format!("{}{mark}schema={schema}&lanes={lanes}&pool=3{options}", database.url);
        Self { url, clock: Arc::new(ManualClock::new(SystemClock::new().now())) }
    }
}

#[async_trait::async_trait]
impl Backend for FreshSchema {
    async fn open(&self) -> Result<Stores> {
        let mut config = Config::from_url(&self.url)?;
        config.stored_at = StoredAt::Seam;
        let seam = Seam::new(self.clock.clone(), Arc::new(SystemRandom::default()));
        Ok(Postgres::open(config, seam).await?.stores())
    }

    fn clock(&self) -> Option<Arc<ManualClock>> {
        Some(self.clock.clone())
    }
}
