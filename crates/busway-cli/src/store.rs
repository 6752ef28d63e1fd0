//! The store that the configuration means: the one place that names backends.

use std::{path::Path, sync::Arc};

use busway_backends::{
    PendingMigration,
    postgres::{self, Postgres},
    sqlite::{self, Sqlite},
};
use busway_core::{Durability, Error, ErrorKind, Heads, Result, Seam, Stores, memory::Memory};

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
    opened: Opened,
    place: String,
    is_new: bool,
}

/// Which backend it is, to be closed at the end.
#[derive(Debug)]
enum Opened {
    Memory,
    Sqlite(Arc<Sqlite>),
    Postgres(Arc<Postgres>),
}

impl Store {
    /// Opens it, made if missing.
    pub(crate) async fn open(backend: &Backend, data: &Path, seam: Seam) -> Result<Self> {
        match backend.kind {
            Kind::InMemory => {
                let stores = Memory::new(seam).stores();
                Ok(Self { stores, opened: Opened::Memory, place: "in-memory".into(), is_new: true })
            }
            Kind::Sqlite => {
                let config = sqlite_config(backend, data)?;
                let (place, is_new) = (format!("sqlite {}", config.path.display()), !config.path.exists());
                let sqlite = Sqlite::open(config, seam).await?;
                Ok(Self { stores: sqlite.stores(), opened: Opened::Sqlite(sqlite), place, is_new })
            }
            Kind::Postgres => {
                let config = postgres_config(backend)?;
                let place = format!("postgres {}", config.place());
                let postgres = Postgres::open(config, seam).await?;
                Ok(Self { stores: postgres.stores(), opened: Opened::Postgres(postgres), place, is_new: false })
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
        let content = if self.is_new { "new".to_owned() } else { self.content(&heads) };
        let survives = match (self.stores.log.capabilities().durability, &self.opened) {
            (Durability::Disk | Durability::Replicated, _) => "durable",
            (Durability::Process, Opened::Memory) => "gone when this process ends",
            (Durability::Process, _) => "not proof against a power cut",
        };
        Ok(format!("{} ({content}, {survives})", self.place))
    }

    fn content(&self, heads: &Heads) -> String {
        let kept = heads.seqs.iter().sum::<u64>().saturating_sub(heads.pruned.iter().sum());
        match self.opened {
            // Its seqs have gaps.
            Opened::Postgres(_) => if kept == 0 { "no events" } else { "has events" }.to_owned(),
            _ => counted(kept, "event", "events"),
        }
    }

    /// Where it is: `sqlite busway.db`, `postgres db:5432/app`.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// Writes what is under way and closes it.
    pub(crate) async fn close(self) {
        drop(self.stores);
        match self.opened {
            Opened::Memory => {}
            Opened::Sqlite(sqlite) => sqlite.close().await,
            Opened::Postgres(postgres) => postgres.close().await,
        }
    }
}

/// True if the store is there already, so that it can be opened without making one.
pub(crate) fn exists(backend: &Backend, data: &Path) -> Result<bool> {
    Ok(match backend.kind {
        Kind::InMemory => false,
        Kind::Sqlite => sqlite_config(backend, data)?.path.exists(),
        Kind::Postgres => true,
    })
}

/// The steps that its schema still lacks; it is neither made nor changed.
pub(crate) async fn pending(backend: &Backend, data: &Path) -> Result<Vec<PendingMigration>> {
    match backend.kind {
        Kind::InMemory => Ok(Vec::new()),
        Kind::Sqlite => Sqlite::pending_migrations(&sqlite_config(backend, data)?).await,
        Kind::Postgres => Postgres::pending_migrations(&postgres_config(backend)?).await,
    }
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

fn postgres_config(backend: &Backend) -> Result<postgres::Config> {
    if backend.url.is_empty() {
        let detail = "`backend.type` is postgres and no address is given; set DATABASE_URL or `backend.url` to one like \
                      postgres://user:password@host:5432/database";
        return Err(Error::new(ErrorKind::InvalidConfiguration, detail));
    }
    let mut config = postgres::Config::from_url(&backend.url)?;
    if backend.lanes > 0 {
        config.lanes = Some(backend.lanes);
    }
    Ok(config)
}
