use std::time::Duration;

use crate::conformance::{Outcome, probe::Probe};

/// Longer than any store takes to wake a reader.
const LIMIT: Duration = Duration::from_secs(10);

pub(in crate::conformance) async fn an_append_wakes_whoever_waits(probe: &Probe) -> Outcome {
    let mut sleepers = [probe.log().wake(), probe.log().wake()];
    for event in probe.events(3) {
        let before = sleepers.each_ref().map(|wake| *wake.borrow());
        probe.log().append(&[event]).await?;
        for (wake, before) in sleepers.iter_mut().zip(before) {
            let woken = tokio::time::timeout(LIMIT, wake.wait_for(|count| *count > before)).await;
            ensure!(matches!(woken, Ok(Ok(_))), "an append woke nobody within {LIMIT:?}");
        }
    }
    Ok(())
}
