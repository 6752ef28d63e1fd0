//! The engine keeps every promise on a SQLite file.

use std::sync::Arc;

use busway_backends::sqlite::{Config, Sqlite, Synchronous};
use busway_core::{Clock, ManualClock, Result, Seam, Stores, SystemClock, SystemRandom, conformance::Backend};

struct Fresh {
    folder: tempfile::TempDir,
    clock: Arc<ManualClock>,
}

#[async_trait::async_trait]
impl Backend for Fresh {
    async fn open(&self) -> Result<Stores> {
        let path = self.folder.path().join("busway.db");
        let config = Config { synchronous: Synchronous::Off, readers: 1, ..Config::new(path) };
        let seam = Seam::new(self.clock.clone(), Arc::new(SystemRandom::default()));
        Ok(Sqlite::open(config, seam).await?.stores())
    }

    fn clock(&self) -> Option<Arc<ManualClock>> {
        Some(self.clock.clone())
    }
}

async fn fresh() -> Fresh {
    let clock = Arc::new(ManualClock::new(SystemClock::new().now()));
    Fresh { folder: tempfile::tempdir().unwrap_or_else(|error| panic!("no folder for a store: {error}")), clock }
}

busway_engine::engine_conformance_tests!(fresh);
