#![doc = include_str!("docs.md")]

mod append;
mod bell;
mod checkpoint_row;
mod checkpoints;
mod columns;
mod commits;
mod config;
mod connection;
mod dead_letters;
mod direct;
mod doctor;
mod error;
mod event_row;
mod hold_changes;
mod holds;
mod keeper;
mod known;
mod lane;
mod listener;
mod log;
mod members;
mod names;
mod operations;
mod outbox;
mod pool;
mod read;
mod requests;
mod schema;
mod server;
mod shared;
mod sieve;
mod subscriptions;
mod time;
mod tls;
mod url;
mod watcher;

use std::sync::{Arc, atomic::AtomicU64};

use busway_core::{Capabilities, Dedupe, OutboxStatements, Result, Seam, Stores};
use tokio::{
    sync::{Notify, watch},
    task::AbortHandle,
};

pub use config::{Config, Listen, StoredAt};
pub use tls::{Tls, TlsMode};

use crate::PendingMigration;
use bell::Bell;
use commits::Commits;
use known::Known;
use pool::Pool;
use read::UsualSize;
use shared::Shared;

/// Two appends of different lanes side by side keep the server busy while the next batches gather.
const PARALLEL_APPENDS: usize = 2;

/// Log and checkpoints in one PostgreSQL database, in a schema of their own.
///
/// Any number of processes may open the same schema. Background tasks on the runtime that opened it listen for
/// other processes' appends and look after the parts of the log; they end when this is closed or dropped.
#[derive(Debug)]
pub struct Postgres {
    pool: Arc<Pool>,
    shared: Arc<Shared>,
    commits: Arc<Commits>,
    usual_size: UsualSize,
    capabilities: Capabilities,
    statements: OutboxStatements,
    config: Config,
    tasks: [AbortHandle; 3],
}

impl Postgres {
    /// Opens a store, its schema made if missing and brought to this version.
    ///
    /// Errors: `InvalidConfiguration` (ranges, password, database, rights, encoding, isolation level, another
    /// number of lanes), `BackendTooOld` (before PostgreSQL 14), `StoreTooNew`, `Unreachable`, `Overloaded` (no
    /// connection left), `StorageFull` (full or read-only).
    pub async fn open(config: Config, seam: Seam) -> Result<Arc<Self>> {
        config.check()?;
        let prepared = schema::prepare(&config).await?;
        let capabilities = Capabilities {
            name: "postgres",
            durability: prepared.durability,
            dedupe: Dedupe::Retention,
            atomic_batch: true,
            read: true,
            prune: true,
            shared: true,
            parallel_appends: PARALLEL_APPENDS,
        };
        let pool = Arc::new(Pool::new(&config)?);
        let statements = outbox::statements(&config.schema);
        let shared = Arc::new(Shared {
            pool: pool.clone(),
            lanes: prepared.lanes,
            known: Known::nothing(prepared.lanes),
            bell: Bell::new(format!("{:016x}", seam.random())),
            part_bytes: config.part_bytes,
            much_appended: Notify::new(),
            pruned: Notify::new(),
            unlooked: AtomicU64::new(0),
            seam,
            stored_at: config.stored_at,
            wake: watch::Sender::new(0),
        });
        shared.hear_heads().await?;
        let tasks = [
            tokio::spawn(watcher::watch(shared.clone(), config.clone())).abort_handle(),
            tokio::spawn(keeper::keep(shared.clone())).abort_handle(),
            tokio::spawn(keeper::clear(shared.clone())).abort_handle(),
        ];
        let (commits, usual_size) = (Commits::new(pool.clone()), UsualSize::new());
        Ok(Arc::new(Self { pool, shared, commits, usual_size, capabilities, statements, config, tasks }))
    }

    /// The steps that a schema still lacks, for somebody who wants to see them first; none are carried out. Run in their
    /// order, in one transaction, they are what [`open`](Self::open) does.
    ///
    /// Errors: as those of [`open`](Self::open).
    pub async fn pending_migrations(config: &Config) -> Result<Vec<PendingMigration>> {
        schema::pending(config).await
    }

    /// The store as the engine takes it.
    pub fn stores(self: &Arc<Self>) -> Stores {
        Stores { log: self.clone(), checkpoints: self.clone(), outbox: Some(self.clone()), same_database: true }
    }

    /// Ends the store: what is under way is carried out, what is asked after is refused with `Closed`.
    pub async fn close(&self) {
        self.end();
    }

    fn end(&self) {
        self.tasks.iter().for_each(AbortHandle::abort);
        self.pool.close();
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.end();
    }
}
