use std::{sync::Arc, time::Instant};

use super::{
    Run,
    figures::{Calls, Figures},
};
use crate::failure::Failure;

/// How often the way of one event is measured.
const TIMES: u64 = 200;
/// How long one may take.
const WAIT_MS: u64 = 20_000;

/// How long one event takes from its publisher to a puller that waits for it, one after the other.
pub(super) async fn measure(run: &Arc<Run>) -> Result<Figures, Failure> {
    let (mut calls, started) = (Calls::new(), Instant::now());
    for n in 0..TIMES {
        let waiting = {
            let run = Arc::clone(run);
            tokio::spawn(async move {
                let deliveries = run.pull(1, WAIT_MS).await?;
                Ok::<_, Failure>((deliveries, Instant::now()))
            })
        };
        let begun = Instant::now();
        run.publish(run.publishers, n, n + 1).await?;
        let (deliveries, arrived) =
            waiting.await.map_err(|error| Failure::refused("internal", error.to_string()))??;
        if deliveries.is_empty() {
            return Err(Failure::refused("bench", "an event did not arrive within 20 s"));
        }
        calls.took(arrived - begun);
        run.settle(&deliveries).await?;
    }
    Ok(Figures::new(TIMES, started.elapsed(), &calls))
}
