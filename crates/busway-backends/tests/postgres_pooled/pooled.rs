use std::sync::OnceLock;

use busway_testbed::{pgbouncer::PgBouncer, postgres::Server};

/// Scenarios with many members bring many connections.
const SETTINGS: &[(&str, &str)] = &[("max_client_conn", "1000"), ("default_pool_size", "40")];

/// A database that all tests of this process share, and the pooler before it.
pub(crate) struct Pooled {
    /// Of the database through the pooler.
    pub(crate) url: String,
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
        let database = server.database();
        // Nothing in a scenario stops the server, so nothing has to wait for its disk.
        database.set("synchronous_commit", "off");
        Some(Self { url: pooler.url(&database), past: server.address().into(), _pooler: pooler })
    }
}
