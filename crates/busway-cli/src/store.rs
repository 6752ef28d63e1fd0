//! The store that the configuration means: the one place that names backends.

use std::{path::Path, sync::Arc};

use busway_backends::sqlite::{self, Sqlite};
use busway_core::{Durability, Result, Seam, Stores, memory::Memory};

use crate::{
    config::{Backend, Kind, Synchronous},
    text::counted,
};

/// The file of the data folder that is the store where no other is configured.
const FILE: &str = "busway.db";

/// An opened store.
#[derive(Debug)]
pub(crate) struct Store {
    stores: Stores,
    sqlite: Option<Arc<Sqlite>>,
    place: String,
    is_new: bool,
}

impl Store {
    /// Opens it, made if missing.
    pub(crate) async fn open(backend: &Backend, data: &Path, seam: Seam) -> Result<Self> {
        match backend.kind {
            Kind::InMemory => {
                let stores = Memory::new(seam).stores();
                Ok(Self { stores, sqlite: None, place: "in-memory".into(), is_new: true })
            }
            Kind::Sqlite => {
                let config = sqlite_config(backend, data)?;
                let (place, is_new) = (format!("sqlite {}", config.path.display()), !config.path.exists());
                let sqlite = Sqlite::open(config, seam).await?;
                Ok(Self { stores: sqlite.clone().stores(), sqlite: Some(sqlite), place, is_new })
            }
        }
    }

    /// As the engine takes it.
    pub(crate) fn stores(&self) -> Stores {
        self.stores.clone()
    }

    /// Where it is, what is in it, and how far what it takes survives: `sqlite busway.db (new, durable)`.
    pub(crate) async fn describe(&self) -> Result<String> {
        let heads = self.stores.log.heads().await?;
        let kept = heads.seqs.iter().sum::<u64>().saturating_sub(heads.pruned.iter().sum());
        let content = if self.is_new { "new".to_owned() } else { counted(kept, "event", "events") };
        let survives = match (self.stores.log.capabilities().durability, &self.sqlite) {
            (Durability::Disk | Durability::Replicated, _) => "durable",
            (Durability::Process, Some(_)) => "not proof against a power cut",
            (Durability::Process, None) => "gone when this process ends",
        };
        Ok(format!("{} ({content}, {survives})", self.place))
    }

    /// Writes what is under way and closes it.
    pub(crate) async fn close(self) {
        drop(self.stores);
        if let Some(sqlite) = self.sqlite {
            sqlite.close().await;
        }
    }
}

/// True if the store is there already, so that it can be opened without making one.
pub(crate) fn exists(backend: &Backend, data: &Path) -> Result<bool> {
    Ok(backend.kind == Kind::Sqlite && sqlite_config(backend, data)?.path.exists())
}

fn sqlite_config(backend: &Backend, data: &Path) -> Result<sqlite::Config> {
    let mut config = match backend.url.as_str() {
        "" => sqlite::Config::new(data.join(FILE)),
        url => sqlite::Config::from_url(url)?,
    };
    if backend.synchronous == Synchronous::Normal {
        config.synchronous = sqlite::Synchronous::Normal;
    }
    if backend.lanes > 0 {
        config.lanes = Some(backend.lanes);
    }
    Ok(config)
}
