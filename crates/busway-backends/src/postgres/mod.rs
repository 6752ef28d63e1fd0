//! Log and checkpoints in one PostgreSQL database: the production backend.

mod checkpoint_row;
mod checkpoints;
mod columns;
mod config;
mod connection;
mod dead_letters;
mod error;
mod hold_changes;
mod holds;
mod lane;
mod log;
mod members;
mod names;
mod operations;
mod pool;
mod requests;
mod schema;
mod subscriptions;
mod tls;
mod url;

use std::sync::Arc;

use busway_core::{Capabilities, Dedupe, Durability, Result, Seam, Stores};

pub use config::{Config, Listen, StoredAt};
pub use schema::PendingMigration;
pub use tls::{Tls, TlsMode};

use pool::Pool;

/// Two appends of different lanes side by side keep the server busy while the next batches gather.
const PARALLEL_APPENDS: usize = 2;

/// Log and checkpoints in one PostgreSQL database, in a schema of their own.
///
/// Any number of processes may open the same schema.
#[derive(Debug)]
pub struct Postgres {
    pool: Pool,
    lanes: u16,
    seam: Seam,
    capabilities: Capabilities,
}

impl Postgres {
    /// Opens a store, its schema made if missing and brought to this version.
    ///
    /// Errors: `InvalidConfiguration` (ranges, password, database, rights, encoding, isolation level, another
    /// number of lanes), `BackendTooOld` (before PostgreSQL 14), `StoreTooNew`, `Unreachable`, `Overloaded` (no
    /// connection left), `StorageFull` (full or read-only).
    pub async fn open(config: Config, seam: Seam) -> Result<Arc<Self>> {
        config.check()?;
        let prepared = schema::prepare(&config, &seam).await?;
        let capabilities = Capabilities {
            name: "postgres",
            durability: Durability::Disk,
            dedupe: Dedupe::Retention,
            atomic_batch: true,
            read: true,
            prune: true,
            shared: true,
            parallel_appends: PARALLEL_APPENDS,
        };
        Ok(Arc::new(Self { pool: Pool::new(&config)?, lanes: prepared.lanes, seam, capabilities }))
    }

    /// The steps that a schema still lacks, for somebody who wants to see them first; none are carried out.
    ///
    /// Errors: as those of [`open`](Self::open).
    pub async fn pending_migrations(config: &Config) -> Result<Vec<PendingMigration>> {
        schema::pending(config).await
    }

    /// The store as the engine takes it.
    pub fn stores(self: &Arc<Self>) -> Stores {
        Stores { log: self.clone(), checkpoints: self.clone(), same_database: true }
    }

    /// Ends the store: what is asked after is refused with `Closed`.
    pub async fn close(&self) {
        self.pool.close();
    }
}
