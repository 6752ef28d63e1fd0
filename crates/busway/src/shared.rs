use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use busway_core::{Error, Owner, Patterns, SubscriptionName};
use busway_engine::{Engine, ShutdownReport};
use tokio::sync::{OnceCell, watch};

use crate::{replies::Replies, scope::Scope, testing::Faults};

/// What a bus and its tenants share.
pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) replies: Replies,
    /// Failures that a test asks for; only a test's bus has them.
    pub(crate) faults: Option<Faults>,
    served: Mutex<HashMap<(Owner, SubscriptionName), Patterns>>,
    left: OnceCell<ShutdownReport>,
    closed: watch::Sender<bool>,
}

impl Shared {
    pub(crate) fn new(engine: Engine, faults: Option<Faults>) -> Self {
        Self {
            engine,
            replies: Replies::default(),
            faults,
            served: Mutex::default(),
            left: OnceCell::new(),
            closed: watch::Sender::new(false),
        }
    }

    /// The subscriptions that have a listener in this process.
    pub(crate) fn served(&self) -> MutexGuard<'_, HashMap<(Owner, SubscriptionName), Patterns>> {
        self.served.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) async fn shutdown(&self) -> Result<ShutdownReport, Error> {
        let left = self.left.get_or_try_init(|| self.engine.shutdown()).await?;
        self.closed.send_replace(true);
        Ok(*left)
    }

    pub(crate) async fn closed(&self) {
        // An error would mean that the sender is gone, which `self` owns.
        let _ = self.closed.subscribe().wait_for(|closed| *closed).await;
    }
}

/// Shuts the bus down once nobody can reach it any more. What a running listener holds does not count, for its
/// end is waited for.
pub(crate) struct KeepOpen(Arc<Shared>);

impl KeepOpen {
    pub(crate) fn new(shared: &Arc<Shared>) -> Arc<Self> {
        Arc::new(Self(Arc::clone(shared)))
    }
}

impl Drop for KeepOpen {
    fn drop(&mut self) {
        if self.0.left.initialized() {
            return;
        }
        // Without a runtime there is nothing left that could run.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let shared = Arc::clone(&self.0);
            runtime.spawn(async move {
                if let Err(error) = shared.shutdown().await {
                    tracing::warn!(%error, "the bus was dropped and could not be shut down");
                }
            });
        }
    }
}

/// The way in: what [`crate::Bus`] and [`crate::Tenant`] are made of.
#[derive(Clone)]
pub(crate) struct Handle {
    pub(crate) shared: Arc<Shared>,
    pub(crate) scope: Scope,
    _open: Option<Arc<KeepOpen>>,
}

impl Handle {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let open = KeepOpen::new(&shared);
        Self { shared, scope: Scope::Installation, _open: Some(open) }
    }

    /// The same for another scope.
    pub(crate) fn scoped(&self, scope: Scope) -> Self {
        Self { scope, ..self.clone() }
    }

    /// The same, for what runs inside the bus and must not keep it open.
    pub(crate) fn inside(&self) -> Self {
        Self { _open: None, ..self.clone() }
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.shared.engine
    }

    /// The name of a listener that was given none.
    pub(crate) fn default_name(&self, pattern: &str) -> String {
        format!("{}/{pattern}", self.engine().config().app)
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("scope", &self.scope).finish_non_exhaustive()
    }
}
