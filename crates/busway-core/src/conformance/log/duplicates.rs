use std::sync::Arc;

use crate::{
    Appended, Event, Log, Payload, TenantId,
    conformance::{
        Failed, Outcome,
        probe::{Probe, appended_by, at_once, ids},
    },
};

/// Fails unless this answers a repeat of what was answered by `first`.
fn is_repeat(told: Appended, first: Appended) -> Outcome {
    ensure_eq!(told, Appended { duplicate: true, ..first }, "answer to a repeat");
    Ok(())
}

pub(in crate::conformance) async fn a_repeat_is_stored_once(probe: &Probe) -> Outcome {
    let event = Arc::new(probe.event());
    let first = appended_by(probe.log(), event.clone()).await?;
    ensure!(!first.duplicate, "the first is called a duplicate");
    for log in [probe.stores().log, probe.again().await?.stores().log] {
        is_repeat(appended_by(&*log, event.clone()).await?, first)?;
    }
    ensure_eq!(ids(&probe.everything().await?), [event.id], "what is stored");
    Ok(())
}

pub(in crate::conformance) async fn a_repeat_within_one_batch_is_stored_once(probe: &Probe) -> Outcome {
    let lane = probe.event();
    let [one, two] = [probe.id(), probe.id()].map(|id| Arc::new(Event { id, ..lane.clone() }));
    let told = probe.log().append(&[one.clone(), two.clone(), one.clone(), one.clone()]).await?;
    ensure_eq!(told.len(), 4, "answers");
    ensure!(!told[0].duplicate && !told[1].duplicate, "the first of each is called a duplicate: {told:?}");
    is_repeat(told[2], told[0])?;
    is_repeat(told[3], told[0])?;
    ensure_eq!(ids(&probe.everything().await?), [one.id, two.id], "what is stored");
    Ok(())
}

pub(in crate::conformance) async fn of_a_batch_with_repeats_the_new_ones_are_stored(probe: &Probe) -> Outcome {
    let events = probe.events(9);
    let first = probe.log().append(&events[..6]).await?;
    let told = probe.log().append(&events[3..]).await?;
    ensure_eq!(told.len(), 6, "answers");
    for (told, first) in told.iter().zip(&first[3..]) {
        is_repeat(*told, *first)?;
    }
    ensure!(told[3..].iter().all(|told| !told.duplicate), "new events are called duplicates: {told:?}");
    let mut stored = ids(&probe.everything().await?);
    stored.sort_unstable();
    ensure_eq!(stored, events.iter().map(|event| event.id).collect::<Vec<_>>(), "what is stored");
    Ok(())
}

pub(in crate::conformance) async fn a_repeat_with_another_payload_changes_nothing(probe: &Probe) -> Outcome {
    let event = probe.event();
    let first = probe.append(event.clone()).await?;
    let other = Event { payload: Payload::from_json(r#"{"n":2}"#)?, ..event.clone() };
    is_repeat(probe.append(other).await?, first)?;
    let stored = probe.everything().await?;
    ensure_eq!(stored.len(), 1, "entries");
    ensure_eq!(stored[0].event().map(|event| &**event), Some(&event), "the first event");
    Ok(())
}

pub(in crate::conformance) async fn one_id_of_two_tenants_is_two_events(probe: &Probe) -> Outcome {
    let event = Event { tenant: TenantId::new("acme")?, ..probe.event() };
    let other = Event { tenant: TenantId::new("bolt")?, ..event.clone() };
    let (one, two) = (probe.append(event.clone()).await?, probe.append(other.clone()).await?);
    ensure!(!one.duplicate && !two.duplicate, "another tenant's event is called a duplicate");
    ensure_eq!(probe.everything().await?.len(), 2, "entries");
    is_repeat(probe.append(other).await?, two)?;
    is_repeat(probe.append(event).await?, one)
}

pub(in crate::conformance) async fn an_event_published_by_many_at_once_is_stored_once(probe: &Probe) -> Outcome {
    let handles = [probe.stores().log, probe.again().await?.stores().log];
    for _ in 0..25 {
        let event = Arc::new(probe.event());
        let publishers = handles.iter().cycle().take(6).map(|log| publish(log.clone(), event.clone()));
        let told = at_once(publishers).await?;
        let firsts: Vec<&Appended> = told.iter().filter(|told| !told.duplicate).collect();
        ensure_eq!(firsts.len(), 1, "answers that are no duplicate");
        for told in told.iter().filter(|told| told.duplicate) {
            is_repeat(*told, *firsts[0])?;
        }
    }
    ensure_eq!(probe.everything().await?.len(), 25, "entries");
    Ok(())
}

async fn publish(log: Arc<dyn Log>, event: Arc<Event>) -> Result<Appended, Failed> {
    appended_by(&*log, event).await
}
