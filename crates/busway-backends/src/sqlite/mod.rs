#![doc = include_str!("docs.md")]

mod append;
mod checkpoint_row;
mod checkpoints;
mod columns;
mod config;
mod connection;
mod dead_letters;
mod doctor;
mod error;
mod event_row;
mod file_system;
mod heads;
mod holds;
mod lane;
mod log;
mod lookout;
mod members;
mod operations;
mod place;
mod queue;
mod readers;
mod requests;
mod schema;
mod shared;
mod subscriptions;
mod writer;

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};

use busway_core::{Capabilities, Dedupe, Durability, Error, ErrorKind, Result, Seam, Stores};
use rusqlite::Connection;
use tokio::sync::{oneshot, watch};

pub use config::{Config, Synchronous};

use crate::PendingMigration;
use heads::Heads;
use lookout::Lookout;
use shared::{Guard, Shared};
use writer::Writer;

/// Appends that wait here go in one commit, so that many small ones cost little; measured best with 512 publishers.
const PARALLEL_APPENDS: usize = 8;

/// Log and checkpoints in one SQLite file.
///
/// Several processes may open the same file. Dropping the last handle ends the threads and waits for what they
/// were doing; [`close`](Self::close) does so without blocking.
#[derive(Debug)]
pub struct Sqlite {
    shared: Arc<Shared>,
    lanes: u16,
    capabilities: Capabilities,
    config: Config,
    /// Ends when the threads have.
    ended: watch::Receiver<()>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Sqlite {
    /// Opens a file, made if missing and brought to this version's schema.
    ///
    /// Errors: `InvalidConfiguration` (ranges, a folder in place of a file, another number of lanes),
    /// `NetworkFileSystem`, `StoreTooNew`, `Corrupt` (no SQLite file, or damaged), `StorageFull` (full or
    /// read-only), `Unreachable` (a folder that cannot be made, a lock that was not given in time).
    pub async fn open(config: Config, seam: Seam) -> Result<Arc<Self>> {
        config.check()?;
        let durability = match config.synchronous {
            Synchronous::Full => Durability::Disk,
            Synchronous::Normal | Synchronous::Off => Durability::Process,
        };
        let (alive, ended) = watch::channel(());
        let opening = config.clone();
        let (opener, opened) = oneshot::channel();
        let work = move || match Opened::open(&opening, seam) {
            Ok(opened) => {
                let (shared, lanes) = (opened.writer.shared.clone(), opened.lanes);
                // An error means that the caller has gone: then nothing will ever be asked of the store.
                if opener.send(Ok((shared.clone(), lanes))).is_err() {
                    shared.close();
                }
                opened.work();
                drop(alive);
            }
            Err(error) => drop(opener.send(Err(error))),
        };
        let thread = thread::Builder::new().name("busway-sqlite-w".into()).spawn(work).map_err(no_thread)?;
        let (shared, lanes) = opened.await.unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::Internal, "the thread that opens the SQLite store ended before it answered"))
        })?;
        let capabilities = Capabilities {
            name: "sqlite",
            durability,
            dedupe: Dedupe::Retention,
            atomic_batch: true,
            read: true,
            prune: true,
            shared: true,
            parallel_appends: PARALLEL_APPENDS,
        };
        Ok(Arc::new(Self { shared, lanes, capabilities, config, ended, thread: Mutex::new(Some(thread)) }))
    }

    /// The steps that a file still lacks, for somebody who wants to see them first; none are carried out, and a file that
    /// is not there is not made. Run in their order, in one transaction, they leave to [`open`](Self::open) what is
    /// particular to a file: its number of lanes and its epoch.
    ///
    /// Errors: as those of [`open`](Self::open).
    pub async fn pending_migrations(config: &Config) -> Result<Vec<PendingMigration>> {
        config.check()?;
        let config = config.clone();
        let ended = tokio::task::spawn_blocking(move || schema::pending(&config)).await;
        ended.unwrap_or_else(|error| Err(Error::new(ErrorKind::Internal, format!("a file was not looked at: {error}"))))
    }

    /// The store as the engine takes it.
    pub fn stores(self: &Arc<Self>) -> Stores {
        Stores { log: self.clone(), checkpoints: self.clone(), outbox: None, same_database: true }
    }

    /// Ends the store: what was asked before is still carried out, what is asked after is refused with `Closed`.
    /// Returns once the write-ahead log has been moved into the file, as far as other processes let it.
    pub async fn close(&self) {
        self.shared.close();
        // An error is what is waited for: the thread has dropped its end.
        let _ = self.ended.clone().changed().await;
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        self.shared.close();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // An error means that it ended by a defect, which it has reported.
            let _ = thread.join();
        }
    }
}

/// An opened store on the thread that writes to it.
struct Opened {
    writer: Writer,
    readers: Vec<JoinHandle<()>>,
    lanes: u16,
}

impl Opened {
    fn open(config: &Config, seam: Seam) -> Result<Self> {
        let path = file_system::prepare(&config.path)?;
        if !config.network_file_system {
            file_system::refuse_network(&path)?;
        }
        let mut connection = connection::writer(&path, config)?;
        let identity = file_system::identity(&path);
        let lanes = schema::prepare(&mut connection, &path, config, &seam, identity)?;
        // From here on the writer waits for its lock by itself.
        connection.busy_timeout(std::time::Duration::ZERO).map_err(|error| error::translated(error, &path))?;
        let heads = Heads::read(&connection, lanes).map_err(|error| error::translated(error, &path))?;
        let connections = (0..config.readers).map(|_| connection::reader(&path, config));
        let connections = connections.collect::<Result<Vec<Connection>>>()?;
        let shared = Arc::new(Shared::new(path, identity));
        let readers = connections.into_iter().map(|reader| readers::start(reader, shared.clone()));
        let readers = readers.collect::<std::io::Result<_>>().map_err(|error| {
            shared.close();
            no_thread(error)
        })?;
        let lookout = Lookout::new(&shared.path);
        let busy_timeout = config.busy_timeout;
        let writer = Writer { connection, shared, heads, lookout, seam, busy_timeout, rivals: false };
        Ok(Self { writer, readers, lanes })
    }

    fn work(self) {
        let shared = self.writer.shared.clone();
        let _guard = Guard(shared.clone());
        let connection = self.writer.run();
        shared.reads.close();
        for reader in self.readers {
            // An error means that it ended by a defect, which it has reported.
            let _ = reader.join();
        }
        // The last connection of all processes empties the write-ahead log as it closes; any other does what it can.
        // What fails here is made up for by whoever opens the file next.
        let _ = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
    }
}

fn no_thread(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Overloaded, format!("cannot start a thread for the SQLite store: {error}")).with_source(error)
}
