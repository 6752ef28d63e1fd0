//! Stores that each break one promise of a backend, and which checks must notice.

mod appends;
mod commits;
mod events;
mod lanes;
mod leases;
mod letters;
mod reads;
mod records;
mod twist;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;

pub use self::twist::{CheckpointsTwist, LogTwist, Sound};
use self::twist::{TwistedCheckpoints, TwistedLog};
use super::Backend;
use crate::{ManualClock, Result, Stores};

/// One promise broken.
#[derive(Clone, Copy, Debug)]
pub struct Double {
    /// What it does wrong, in words.
    pub fault: &'static str,
    /// The checks that must fail on it, by name; others may.
    pub noticed_by: &'static [&'static str],
    /// Makes what does it.
    pub twist: fn() -> Twist,
}

/// What a double does differently.
pub enum Twist {
    /// In its log.
    Log(Arc<dyn LogTwist>),
    /// In its checkpoints.
    Checkpoints(Arc<dyn CheckpointsTwist>),
}

impl std::fmt::Debug for Twist {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Log(_) => "Log",
            Self::Checkpoints(_) => "Checkpoints",
        })
    }
}

impl Twist {
    /// A log that does this differently.
    pub fn log(twist: impl LogTwist) -> Self {
        Self::Log(Arc::new(twist))
    }

    /// Checkpoints that do this differently.
    pub fn checkpoints(twist: impl CheckpointsTwist) -> Self {
        Self::Checkpoints(Arc::new(twist))
    }
}

impl Twist {
    /// A store that goes through this; `handle` tells it from other handles of the same store.
    pub fn over(&self, sound: Stores, handle: usize) -> Stores {
        match self {
            Self::Log(twist) => {
                let mut capabilities = sound.log.capabilities().clone();
                twist.capabilities(&mut capabilities);
                let log = TwistedLog { inner: sound.log, twist: twist.clone(), handle, capabilities };
                Stores { log: Arc::new(log), ..sound }
            }
            Self::Checkpoints(twist) => {
                let checkpoints = TwistedCheckpoints { inner: sound.checkpoints, twist: twist.clone(), handle };
                Stores { checkpoints: Arc::new(checkpoints), ..sound }
            }
        }
    }
}

impl Double {
    /// Does nothing wrong: every check that a backend passes by itself, it must pass behind this.
    pub const SOUND: Self = Self { fault: "nothing", noticed_by: &[], twist: || Twist::log(Faultless) };

    /// Every double.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        let of_the_log = [events::ALL, appends::ALL, reads::ALL];
        let of_checkpoints = [records::ALL, commits::ALL, lanes::ALL, letters::ALL, leases::ALL];
        of_the_log.into_iter().chain(of_checkpoints).flatten()
    }

    /// A backend with the fault, on top of a sound one.
    pub fn on<B: Backend>(&self, backend: B) -> impl Backend + use<B> {
        Broken { sound: Box::new(backend), twist: (self.twist)(), opened: AtomicUsize::new(0) }
    }
}

struct Faultless;

impl LogTwist for Faultless {}

struct Broken {
    sound: Box<dyn Backend>,
    twist: Twist,
    opened: AtomicUsize,
}

#[async_trait]
impl Backend for Broken {
    async fn open(&self) -> Result<Stores> {
        let sound = self.sound.open().await?;
        let handle = self.opened.fetch_add(1, Ordering::Relaxed);
        Ok(self.twist.over(sound, handle))
    }

    fn clock(&self) -> Option<Arc<ManualClock>> {
        self.sound.clock()
    }

    async fn remove(&self) {
        self.sound.remove().await;
    }
}
