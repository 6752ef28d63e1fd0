use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use busway_backends::postgres::{Config, Postgres, StoredAt};
use busway_core::{Clock, ManualClock, Result, Seam, Stores, SystemClock, SystemRandom, conformance::Backend};

/// A schema that no other test of this process has; its times come from a clock that is held.
pub(crate) struct FreshSchema {
    url: String,
    clock: Arc<ManualClock>,
}

impl FreshSchema {
    /// In the database at this URL; `options` are further parameters of it, each with a `&` before it.
    pub(crate) fn new(database: &str, lanes: u16, options: &str) -> Self {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let schema = format!("s{}", MADE.fetch_add(1, Ordering::Relaxed));
        let mark = if database.contains('?') { '&' } else { '?' };
        let url = format!("{database}{mark}schema={schema}&lanes={lanes}&pool=3{options}");
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
