//! Everything through a pooler that gives each transaction another connection.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering},
};

use busway_backends::postgres::{Config, Postgres, StoredAt};
use busway_core::{Clock, ManualClock, Result, Seam, Stores, SystemClock, SystemRandom, conformance::Backend};
use busway_testbed::{
    pgbouncer::PgBouncer,
    postgres::{Database, Server},
};

/// Scenarios with many members bring many connections.
const SETTINGS: &[(&str, &str)] = &[("max_client_conn", "1000"), ("default_pool_size", "40")];

/// A database and the pooler before it.
struct Pooled {
    database: Database,
    pooler: PgBouncer,
}

#[track_caller]
fn pooled() -> Option<&'static Pooled> {
    static POOLED: OnceLock<Option<Pooled>> = OnceLock::new();
    let server = Server::shared()?;
    let start = || Some(Pooled { pooler: PgBouncer::start_with(server, SETTINGS)?, database: server.database() });
    POOLED.get_or_init(start).as_ref()
}

/// A schema that no other test has; its times come from a clock that is held.
struct FreshSchema {
    url: String,
    clock: Arc<ManualClock>,
}

impl FreshSchema {
    fn new(pooled: &Pooled) -> Self {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let url = pooled.pooler.url(&pooled.database);
        let mark = if url.contains('?') { '&' } else { '?' };
        let url = format!("{url}{mark}schema=s{}&pool=3", MADE.fetch_add(1, Ordering::Relaxed));
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

mod backend {
    busway_core::conformance_tests!(super::pooled => |pooled| async move { super::FreshSchema::new(pooled) });
}

mod engine {
    busway_engine::engine_conformance_tests!(super::pooled => |pooled| async move { super::FreshSchema::new(pooled) });
}
