use std::{collections::BTreeSet, sync::Arc};

use crate::{
    Checkpoints, MemberId,
    conformance::{
        Failed, Outcome,
        probe::{Probe, at_once},
    },
};

type Held = (MemberId, u64);

async fn lease(checkpoints: Arc<dyn Checkpoints>, member: MemberId, stale: Option<Held>) -> Result<Held, Failed> {
    Ok(checkpoints.lease("prune", member, stale).await?)
}

pub(in crate::conformance) async fn a_lease_has_one_holder_who_raises_its_counter(probe: &Probe) -> Outcome {
    let (one, two) = (MemberId(probe.id()), MemberId(probe.id()));
    let other = probe.again().await?;
    let mut held = probe.checkpoints().lease("prune", one, None).await?;
    ensure_eq!(held.0, one, "holder of a lease that nobody had");
    for _ in 0..3 {
        ensure_eq!(other.checkpoints().lease("prune", two, None).await?, held, "the lease that another holds");
        let kept = probe.checkpoints().lease("prune", one, None).await?;
        ensure!(kept.0 == one && kept.1 > held.1, "the holder of {held:?} kept the lease as {kept:?}");
        held = kept;
    }
    for name in ["Prune", "prune ", "relay"] {
        ensure_eq!(other.checkpoints().lease(name, two, None).await?.0, two, "holder of the lease {name:?}");
    }
    ensure_eq!(other.checkpoints().lease("prune", two, None).await?, held, "the lease after others were taken");
    Ok(())
}

pub(in crate::conformance) async fn a_lease_that_stood_still_is_taken_and_one_that_moved_is_not(
    probe: &Probe,
) -> Outcome {
    let (one, two, three) = (MemberId(probe.id()), MemberId(probe.id()), MemberId(probe.id()));
    let other = probe.again().await?;
    let first = probe.checkpoints().lease("prune", one, None).await?;
    let moved = probe.checkpoints().lease("prune", one, None).await?;
    for stale in [first, (two, moved.1), (one, moved.1 + 1)] {
        let held = other.checkpoints().lease("prune", two, Some(stale)).await?;
        ensure_eq!(held, moved, "the lease for one who thinks that it stands at {stale:?}");
    }
    let taken = other.checkpoints().lease("prune", two, Some(moved)).await?;
    ensure_eq!(taken.0, two, "holder of a lease that stood still");
    let late = probe.checkpoints().lease("prune", three, Some(moved)).await?;
    ensure_eq!(late, taken, "the lease for one who comes after it was taken");
    let lost = probe.checkpoints().lease("prune", one, None).await?;
    ensure_eq!(lost, taken, "the lease for its old holder");
    Ok(())
}

pub(in crate::conformance) async fn of_many_who_take_a_lease_at_once_one_gets_it(probe: &Probe) -> Outcome {
    let stores = [probe.stores(), probe.again().await?.stores()];
    let mut stale = None;
    for _ in 0..20 {
        let takers = stores.iter().cycle().take(6);
        let takes = takers.map(|stores| lease(stores.checkpoints.clone(), MemberId(probe.id()), stale));
        let told: BTreeSet<Held> = at_once(takes.collect::<Vec<_>>()).await?.into_iter().collect();
        ensure_eq!(told.len(), 1, "holders told to six who took a lease at once");
        ensure!(told.first().copied() != stale, "nobody of six got the lease that stood still");
        stale = told.first().copied();
    }
    Ok(())
}
