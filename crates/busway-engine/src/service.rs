use std::{panic::AssertUnwindSafe, time::Duration};

use busway_core::Seam;
use futures::FutureExt;

/// Between the defect that ends a service and its next beginning.
const PAUSE: Duration = Duration::from_millis(100);

/// Runs one of the services that a process has as long as the bus is open, until it ends by itself: if a defect ends
/// it, as a store that panics, it is begun again.
pub(crate) async fn serve<F: Future<Output = ()>>(service: &'static str, seam: Seam, mut begin: impl FnMut() -> F) {
    while AssertUnwindSafe(async { begin().await }).catch_unwind().await.is_err() {
        tracing::error!(service, "a defect ended a service of the bus; it is begun again");
        seam.clock().sleep(PAUSE).await;
    }
}
