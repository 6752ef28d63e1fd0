use crate::conformance::{Outcome, probe::Probe, table::declares_enough};

pub(in crate::conformance) async fn at_least_what_the_table_says_is_declared(probe: &Probe) -> Outcome {
    declares_enough(probe.capabilities())?;
    let again = probe.again().await?;
    ensure_eq!(again.capabilities(), probe.capabilities(), "capabilities of the store opened again");
    Ok(())
}

pub(in crate::conformance) async fn every_handle_tells_the_same_lanes_and_epoch(probe: &Probe) -> Outcome {
    let (lanes, heads) = (probe.log().lanes(), probe.log().heads().await?);
    ensure!(lanes > 0, "a log has at least one lane");
    ensure_eq!(heads.seqs.len(), usize::from(lanes), "lanes among the heads");
    ensure_eq!(heads.pruned.len(), usize::from(lanes), "lanes among what is pruned");
    ensure_eq!(heads.seqs, vec![0; heads.seqs.len()], "heads of an empty log");
    probe.append(probe.event()).await?;
    let again = probe.again().await?;
    ensure_eq!(again.log().lanes(), lanes, "lanes of the store opened again");
    ensure_eq!(again.log().heads().await?.epoch, heads.epoch, "epoch of the store opened again");
    ensure_eq!(probe.log().heads().await?.epoch, heads.epoch, "epoch after an append");
    Ok(())
}
