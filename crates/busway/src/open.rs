use std::{
    future::{Future, IntoFuture},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use busway_core::{Error, ErrorKind, Seam, TenantId};
use busway_engine::{Config, Engine};

use crate::{
    Bus,
    environment::Environment,
    shared::{Handle, Shared},
    testing::Faults,
};

/// Opens a bus: `memory:` keeps events as long as the process lives, `sqlite:path` in a file that is made if it is
/// missing, `postgres://user:password@host:5432/database` in a schema of that database (feature `postgres`).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> busway::Result {
/// let bus = busway::open("memory:").await?;
/// # bus.shutdown().await?;
/// # Ok(()) }
/// ```
pub fn open(url: impl Into<String>) -> Open {
    Open::new(Ok(url.into()))
}

/// Opens the bus that the environment names: `EVENT_BUS_TYPE` (`in-memory`, `sqlite`, `postgres`), `DATABASE_URL`
/// where it is an address of that type, or alone, `BUSWAY_DATA` for the folder of SQLite's file (`./busway-data`).
/// With none of them: SQLite in `./busway-data/busway.db`.
pub fn open_env() -> Open {
    Open::new(Environment::of_process().url())
}

/// A bus about to be opened: it is when this is awaited.
#[must_use = "nothing is opened until this is awaited"]
pub struct Open {
    url: Result<String, Error>,
    app: Result<String, Error>,
    tenant: Option<String>,
    config: Config,
    seam: Seam,
    faults: Option<Faults>,
}

impl Open {
    fn new(url: Result<String, Error>) -> Self {
        Self {
            url,
            app: Environment::of_process().app(),
            tenant: None,
            config: Config::default(),
            seam: Seam::system(),
            faults: None,
        }
    }

    /// The application's name, the first part of names that are made by default; `BUSWAY_APP`, else the name of
    /// the program's file, if not said.
    pub fn app(mut self, name: impl Into<String>) -> Self {
        self.app = Ok(name.into());
        self
    }

    /// The tenant of events that name none; `default` if not said.
    pub fn default_tenant(mut self, name: impl Into<String>) -> Self {
        self.tenant = Some(name.into());
        self
    }

    /// Remove events stored longer ago than this once everybody has read them; never if not said.
    pub fn retention(mut self, kept: Duration) -> Self {
        self.config.retention = Some(kept);
        self
    }

    /// How long a shutdown waits for what is running before it is cancelled; 30 seconds if not said.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.config.grace = grace;
        self
    }

    /// How the engine works, for what has no verb here; name and default tenant are kept.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Where time, ids and randomness come from; the machine if not said.
    pub fn seam(mut self, seam: Seam) -> Self {
        self.seam = seam;
        self
    }

    pub(crate) fn faults(mut self, faults: Faults) -> Self {
        self.faults = Some(faults);
        self
    }

    async fn start(mut self) -> Result<Bus, Error> {
        self.config.app = self.app?;
        if self.config.app.is_empty() {
            return Err(Error::new(ErrorKind::InvalidConfiguration, "the application's name is empty"));
        }
        if let Some(tenant) = self.tenant {
            self.config.default_tenant = TenantId::new(tenant)?;
        }
        let stores = busway_backends::open(&self.url?, self.seam.clone()).await?;
        let engine = Engine::start(stores, self.config, self.seam).await?;
        Ok(Bus::new(Handle::new(Arc::new(Shared::new(engine, self.faults)))))
    }
}

impl IntoFuture for Open {
    type Output = Result<Bus, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.start())
    }
}

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Open").field("config", &self.config).finish_non_exhaustive()
    }
}
