use busway_engine::Engine;
use tokio_util::sync::CancellationToken;

/// What every route has at hand.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) engine: Engine,
    /// Cancelled once the server is told to stop: whoever waits on a caller's behalf then answers.
    pub(crate) stopping: CancellationToken,
}
