//! The memory backend: simple, exact, bounded, gone with the process. The reference for every other one.

mod checkpoints;
mod dead_letters;
mod ids;
mod lane;
mod lanes;
mod log;
mod shelf;

use std::sync::{Arc, Mutex, RwLock};

use tokio::sync::watch;

use crate::{Capabilities, Dedupe, Durability, Epoch, Seam, Stores};

/// Events kept if nothing else is said.
const MOST_EVENTS: usize = 10_000_000;

/// Log and checkpoints in the memory of this process.
///
/// Handles that shall see the same store share it behind an [`Arc`].
#[derive(Debug)]
pub struct Memory {
    seam: Seam,
    epoch: Epoch,
    lanes: u16,
    capabilities: Capabilities,
    most_events: usize,
    log: RwLock<lanes::Lanes>,
    wake: watch::Sender<u64>,
    checkpoints: Mutex<shelf::Shelf>,
}

impl Memory {
    /// An empty store with one lane.
    pub fn new(seam: Seam) -> Self {
        Self::with_lanes(seam, 1)
    }

    /// An empty store with this many lanes, at least one.
    pub fn with_lanes(seam: Seam, lanes: u16) -> Self {
        let lanes = lanes.max(1);
        Self {
            epoch: Epoch(seam.random()),
            capabilities: Capabilities {
                name: "in-memory",
                durability: Durability::Process,
                dedupe: Dedupe::Retention,
                atomic_batch: true,
                read: true,
                prune: true,
                shared: false,
                parallel_appends: 1,
            },
            lanes,
            most_events: MOST_EVENTS,
            log: RwLock::new(lanes::Lanes::new(lanes, seam.random())),
            wake: watch::Sender::new(0),
            checkpoints: Mutex::default(),
            seam,
        }
    }

    /// The same store with another bound on the events kept (10,000,000 unless said); an append beyond it is
    /// refused whole with [`StorageFull`](crate::ErrorKind::StorageFull) until older events are pruned.
    pub fn most_events(mut self, most: usize) -> Self {
        self.most_events = most;
        self
    }

    /// The store as the engine takes it.
    pub fn stores(self) -> Stores {
        let memory = Arc::new(self);
        Stores { log: memory.clone(), checkpoints: memory, outbox: None, same_database: true }
    }
}
