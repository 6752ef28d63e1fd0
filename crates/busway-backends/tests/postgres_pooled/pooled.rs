use std::sync::OnceLock;

use busway_testbed::{pgbouncer::PgBouncer, postgres::Server};

/// Scenarios with many members bring many connections.
const SETTINGS: &[(&str, &str)] = &[("max_client_conn", "1000"), ("default_pool_size", "40")];

/// Databases that all tests of this process share, and the pooler before them.
pub(crate) struct Pooled {
    /// Of a database through the pooler.
    pub(crate) durable: String,
    /// Of another in which commits do not wait for the disk.
    pub(crate) quick: String,
    /// The server's own `host:port`.
    pub(crate) past: String,
    /// Held for what its end does.
    _pooler: PgBouncer,
}

impl Pooled {
    #[track_caller]
    pub(crate) fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Pooled>> = OnceLock::new();
        let server = Server::shared()?;
        SHARED.get_or_init(|| Self::start(server)).as_ref()
    }

    #[track_caller]
    fn start(server: &Server) -> Option<Self> {
        let pooler = PgBouncer::start_with(server, SETTINGS)?;
        let (durable, quick) = (server.database(), server.database());
        quick.set("synchronous_commit", "off");
        Some(Self {
            durable: pooler.url(&durable),
            quick: pooler.url(&quick),
            past: server.address().into(),
            _pooler: pooler,
        })
    }
}
