use std::time::Duration;

use busway_core::TenantId;

/// How an engine works.
#[derive(Clone, Debug)]
pub struct Config {
    /// The application's name: the first part of default subscription names and of a member's name.
    pub app: String,
    /// The tenant of events that name none.
    pub default_tenant: TenantId,
    /// How long a member's counter may stand still before others take its lanes.
    pub lease: Duration,
    /// How long a shutdown waits for what is running before it is cancelled.
    pub grace: Duration,
    /// Most events of one append.
    pub append_batch: usize,
    /// Most events that may wait for an append before publishers have to wait.
    pub append_queue: usize,
    /// Most events between a lane's stored position and the newest handed out.
    pub window: usize,
    /// Most bytes of these.
    pub window_bytes: usize,
    /// Holds at which a lane stops fetching.
    pub max_holds: usize,
    /// Failures in a row at which a lane's breaker opens.
    pub breaker: u32,
    /// A run that takes longer becomes a hold.
    pub slow: Duration,
    /// Events stored longer ago are removed once everybody has read them; never if `None`.
    pub retention: Option<Duration>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            app: "app".into(),
            default_tenant: TenantId::from_store("default"),
            lease: Duration::from_secs(5),
            grace: Duration::from_secs(30),
            append_batch: 1_000,
            append_queue: 16_384,
            window: 1_024,
            window_bytes: 16 << 20,
            max_holds: 10_000,
            breaker: 50,
            slow: Duration::from_secs(1),
            retention: None,
        }
    }
}
