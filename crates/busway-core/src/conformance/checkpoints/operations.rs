use std::sync::Arc;

use super::material::time;
use crate::{
    Checkpoints, OperationRecord, OperationState, Owner, TenantId,
    conformance::{
        Failed, Outcome,
        probe::{Probe, at_once},
    },
};

fn operation(probe: &Probe, n: i64) -> OperationRecord {
    OperationRecord {
        id: probe.id(),
        owner: Owner::Installation,
        version: 1,
        kind: "replay".into(),
        state: OperationState::Running,
        done: 0,
        total: 0,
        error: None,
        params: "{}".into(),
        made_at: time(n),
        ended_at: None,
    }
}

async fn stored(probe: &Probe) -> Result<Vec<OperationRecord>, Failed> {
    let mut operations = probe.again().await?.checkpoints().operations().await?;
    operations.sort_by_key(|operation| operation.id);
    Ok(operations)
}

async fn save(
    checkpoints: Arc<dyn Checkpoints>,
    operation: OperationRecord,
    expected: Option<u64>,
) -> Result<Option<OperationRecord>, Failed> {
    Ok(checkpoints.save_operation(&operation, expected).await?.then_some(operation))
}

pub(in crate::conformance) async fn operations_come_back_as_they_were_saved(probe: &Probe) -> Outcome {
    let full = OperationRecord {
        owner: Owner::Tenant(TenantId::new("acme")?),
        version: u64::MAX >> 1,
        kind: "discard".into(),
        state: OperationState::Failed,
        done: 5,
        total: u64::MAX >> 1,
        error: Some("it broke \u{0}🔑".into()),
        params: r#"{"b" : "\u0000", "a":1.0}"#.into(),
        ended_at: Some(time(4)),
        ..operation(probe, 1)
    };
    let states = [OperationState::Running, OperationState::Done, OperationState::Cancelled];
    let plain = states.map(|state| OperationRecord { state, ..operation(probe, 2) });
    let all: Vec<_> = std::iter::once(full).chain(plain).collect();
    for operation in &all {
        let saved = probe.checkpoints().save_operation(operation, None).await?;
        ensure!(saved, "a new operation was refused");
    }
    ensure_eq!(stored(probe).await?, all, "operations");
    Ok(())
}

pub(in crate::conformance) async fn an_operation_changes_only_from_its_stored_version(probe: &Probe) -> Outcome {
    let first = operation(probe, 1);
    let checkpoints = probe.checkpoints();
    ensure!(!checkpoints.save_operation(&first, Some(1)).await?, "a change of what is not stored was not refused");
    ensure!(checkpoints.save_operation(&first, None).await?, "a new operation was refused");
    let second = OperationRecord { version: 2, done: 7, ..first.clone() };
    ensure!(checkpoints.save_operation(&second, Some(1)).await?, "a change was refused");
    let late = OperationRecord { version: 2, state: OperationState::Cancelled, ..first };
    for expected in [None, Some(0), Some(1), Some(3)] {
        let saved = checkpoints.save_operation(&late, expected).await?;
        ensure!(!saved, "a change from {expected:?} was not refused, where 2 is stored");
    }
    ensure_eq!(stored(probe).await?, [second], "the operation after refused changes");
    Ok(())
}

pub(in crate::conformance) async fn of_many_who_change_an_operation_at_once_one_is_not_refused(
    probe: &Probe,
) -> Outcome {
    let stores = [probe.stores(), probe.again().await?.stores()];
    let mut first = operation(probe, 1);
    ensure!(probe.checkpoints().save_operation(&first, None).await?, "a new operation was refused");
    for _ in 0..20 {
        let changed = (0..6).map(|done| OperationRecord { version: first.version + 1, done, ..first.clone() });
        let savers = changed.zip(stores.iter().cycle());
        let saved = savers.map(|(changed, stores)| save(stores.checkpoints.clone(), changed, Some(first.version)));
        let saved: Vec<_> = at_once(saved.collect::<Vec<_>>()).await?.into_iter().flatten().collect();
        ensure_eq!(saved.len(), 1, "changes saved of six at once");
        ensure_eq!(stored(probe).await?, saved, "the operation after six changes at once");
        first = saved[0].clone();
    }
    Ok(())
}

pub(in crate::conformance) async fn what_runs_and_the_newest_thousand_that_ended_are_kept(probe: &Probe) -> Outcome {
    let running = operation(probe, 0);
    ensure!(probe.checkpoints().save_operation(&running, None).await?, "a new operation was refused");
    let ended = |n| OperationRecord { state: OperationState::Done, ended_at: Some(time(n)), ..operation(probe, n) };
    let ended: Vec<_> = (1..=1_010).map(ended).collect();
    for operations in ended.chunks(100) {
        let saves = operations.iter().map(|operation| save(probe.stores().checkpoints, operation.clone(), None));
        at_once(saves.collect::<Vec<_>>()).await?;
    }
    let stored = stored(probe).await?;
    let newest = &ended[10..];
    ensure!(stored.contains(&running), "an operation that runs is forgotten");
    let missing = newest.iter().find(|operation| !stored.contains(operation));
    ensure!(missing.is_none(), "one of the newest thousand that ended is forgotten: {missing:?}");
    ensure_eq!(stored.len(), 1_001, "operations: one that runs and a thousand of 1,010 that ended");
    Ok(())
}
