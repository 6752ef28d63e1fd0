use std::path::Path;

use busway_backends::sqlite::{Config, Sqlite};
use busway_core::{Seam, memory::Memory};

use crate::{LANES, bus::Bus};

/// On a file, made if missing.
pub(crate) async fn sqlite(file: &Path) -> Bus {
    let config = Config { lanes: Some(LANES), ..Config::new(file) };
    let store = Sqlite::open(config, Seam::system()).await.unwrap();
    Bus::start(store.stores(), async move { store.close().await }).await
}

/// In memory, as it is if nothing is said.
pub(crate) async fn memory() -> Bus {
    Bus::start(Memory::new(Seam::system()).stores(), std::future::ready(())).await
}
