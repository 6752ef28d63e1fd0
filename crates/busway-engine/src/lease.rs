use std::time::Duration;

use busway_core::{MemberId, Result};

use crate::engine::Inner;

/// A lease for work that one process does for all, as this process watches it.
#[derive(Debug)]
pub(crate) struct Lease {
    name: &'static str,
    holder: Option<(MemberId, u64)>,
    /// Since when the holder's counter has stood there.
    since: Duration,
}

impl Lease {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, holder: None, since: Duration::ZERO }
    }

    /// Takes the lease if it is free, or keeps it; true if this process holds it now. It is free if nobody had it, if
    /// its counter has stood still for as long as a lease lasts, or if who held it does not live any more.
    pub(crate) async fn is_held(&mut self, inner: &Inner) -> Result<bool> {
        let (checkpoints, me) = (&inner.stores.checkpoints, inner.member.id);
        let elapsed = inner.seam.clock().elapsed();
        let stale = self.holder.filter(|_| elapsed.saturating_sub(self.since) >= inner.config.lease);
        let mut now = checkpoints.lease(self.name, me, stale).await?;
        if now.0 != me && inner.has_gone(now.0) {
            now = checkpoints.lease(self.name, me, Some(now)).await?;
        }
        if self.holder != Some(now) {
            self.holder = Some(now);
            self.since = elapsed;
        }
        Ok(now.0 == me)
    }
}

impl Inner {
    /// True if a member does not live, as far as this one has watched: it has left, or stands still.
    fn has_gone(&self, member: MemberId) -> bool {
        let living = self.living.load();
        let lives = |id: MemberId| living.iter().any(|member| member.id == id);
        lives(self.member.id) && !lives(member)
    }
}
