use std::{sync::Arc, time::Duration};

use busway_core::Result;
use tokio_postgres::types::Type;

use super::{columns::column, pool::ARRIVE, shared::Shared};

/// How often the parts are looked after although little was appended.
const NOW_AND_THEN: Duration = Duration::from_secs(60);
/// How long it may take until nobody uses a part any more that is to go.
const PARTING: Duration = Duration::from_secs(60);

/// Keeps one part of the log ready ahead and begins it when the newest is full.
pub(super) async fn keep(shared: Arc<Shared>) {
    loop {
        if let Err(error) = shared.tend_parts().await {
            tracing::debug!(%error, "the parts of the log were not looked after; the newest goes on growing");
        }
        let _ = tokio::time::timeout(NOW_AND_THEN, shared.much_appended.notified()).await;
        if let Err(error) = shared.pool.write(ARRIVE, &[]).await {
            tracing::debug!(%error, "whether the log was moved is not known");
        }
    }
}

/// Drops parts of the log that have nothing left in them: beside the rest, since it waits for whoever still reads.
pub(super) async fn clear(shared: Arc<Shared>) {
    loop {
        shared.pruned.notified().await;
        while let Err(error) = shared.drop_spent_parts().await {
            tracing::debug!(%error, "a part of the log that is pruned was not dropped yet");
            let _ = tokio::time::timeout(NOW_AND_THEN, shared.pruned.notified()).await;
        }
    }
}

impl Shared {
    /// Makes a part ahead, and begins it if the newest is full.
    pub(super) async fn tend_parts(&self) -> Result<()> {
        let size = i64::try_from(self.part_bytes).unwrap_or(i64::MAX);
        self.pool.write("SELECT {schema}.tend_parts($1)", &[(&size, Type::INT8)]).await.map(drop)
    }

    /// Drops the parts in which everything is pruned. Nobody is held up: a part is taken off while others read and
    /// append, and dropped when nobody can know it any more.
    async fn drop_spent_parts(&self) -> Result<()> {
        for row in self.pool.read("SELECT * FROM {schema}.spent_parts()", &[]).await? {
            let (number, attached, detaching): (i32, bool, bool) =
                (column(&row, 0)?, column(&row, 1)?, column(&row, 2)?);
            let detach =
                format!("ALTER TABLE {{schema}}.domain_events DETACH PARTITION {{schema}}.domain_events_{number}");
            if detaching {
                self.pool.write_within(PARTING, &format!("{detach} FINALIZE"), &[]).await?;
            } else if attached {
                self.pool.write_within(PARTING, &format!("{detach} CONCURRENTLY"), &[]).await?;
            }
            self.pool.write("SELECT {schema}.drop_part($1)", &[(&number, Type::INT4)]).await?;
        }
        Ok(())
    }
}
