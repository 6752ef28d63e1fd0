//! A SQLite file keeps every promise of a backend, with one lane and with eight; each handle opens it again, as
//! another process would.

use std::sync::Arc;

use busway_backends::sqlite::{Config, Sqlite};
use busway_core::{Clock, ManualClock, Result, Seam, Stores, SystemClock, SystemRandom, conformance::Backend};

struct Fresh {
    folder: tempfile::TempDir,
    clock: Arc<ManualClock>,
    lanes: u16,
}

impl Fresh {
    fn with_lanes(lanes: u16) -> Self {
        let clock = Arc::new(ManualClock::new(SystemClock::new().now()));
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("no folder for a store: {error}"));
        Self { folder, clock, lanes }
    }
}

#[async_trait::async_trait]
impl Backend for Fresh {
    async fn open(&self) -> Result<Stores> {
        let path = self.folder.path().join("busway.db");
        let lanes = Some(self.lanes);
        let config = Config { readers: 1, lanes, ..Config::new(path) };
        let seam = Seam::new(self.clock.clone(), Arc::new(SystemRandom::default()));
        Ok(Sqlite::open(config, seam).await?.stores())
    }

    fn clock(&self) -> Option<Arc<ManualClock>> {
        Some(self.clock.clone())
    }
}

mod one_lane {
    busway_core::conformance_tests!(|| async { super::Fresh::with_lanes(1) });
}

mod eight_lanes {
    busway_core::conformance_tests!(|| async { super::Fresh::with_lanes(8) });
}
