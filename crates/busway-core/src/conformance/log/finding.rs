use std::sync::Arc;

use uuid::Uuid;

use crate::{
    Event, TenantId,
    conformance::{
        Outcome,
        probe::{Probe, ids},
    },
};

pub(in crate::conformance) async fn a_range_of_ids_is_found_in_their_order(probe: &Probe) -> Outcome {
    let mut events = probe.events(40);
    let sorted: Vec<Uuid> = events.iter().map(|event| event.id).collect();
    events.rotate_left(17);
    events.reverse();
    probe.log().append(&events).await?;
    let find =
        async |from: Uuid, to: Uuid, max: usize| probe.log().find(None, from, to, max).await.map(|found| ids(&found));
    ensure_eq!(find(Uuid::nil(), Uuid::max(), 100).await?, sorted, "all ids");
    ensure_eq!(find(sorted[5], sorted[9], 100).await?, sorted[5..=9], "ids from the sixth to the tenth");
    ensure_eq!(find(sorted[5], sorted[30], 4).await?, sorted[5..9], "the first four ids from the sixth on");
    ensure_eq!(find(sorted[7], sorted[7], 100).await?, sorted[7..=7], "a single id");
    let between = Uuid::from_u128(sorted[7].as_u128() + 1);
    ensure_eq!(find(between, sorted[8], 100).await?, sorted[8..=8], "ids from just above the eighth to the ninth");
    ensure_eq!(find(sorted[9], sorted[5], 100).await?, sorted[..0], "ids of a range whose end is before its start");
    ensure_eq!(find(Uuid::from_u128(1), Uuid::from_u128(2), 100).await?, sorted[..0], "ids where there are none");
    ensure_eq!(find(probe.id(), Uuid::max(), 100).await?, sorted[..0], "ids above all");
    Ok(())
}

pub(in crate::conformance) async fn each_tenant_finds_its_own_events_alone(probe: &Probe) -> Outcome {
    let (acme, bolt) = (TenantId::new("acme")?, TenantId::new("bolt")?);
    let shared = Arc::new(Event { tenant: acme.clone(), ..probe.event() });
    let of_bolt = Arc::new(Event { tenant: bolt.clone(), ..Event::clone(&shared) });
    let own = Arc::new(Event { tenant: acme.clone(), ..probe.event() });
    probe.log().append(&[shared.clone(), of_bolt.clone(), own.clone()]).await?;
    let everything = (Uuid::nil(), Uuid::max());
    let single = (shared.id, shared.id);
    let hidden = (own.id, own.id);
    let cases = [
        (&acme, everything, vec![&shared, &own]),
        (&bolt, everything, vec![&of_bolt]),
        (&acme, single, vec![&shared]),
        (&bolt, single, vec![&of_bolt]),
        (&acme, hidden, vec![&own]),
        (&bolt, hidden, Vec::new()),
    ];
    for (tenant, (from, to), expected) in cases {
        let found = probe.log().find(Some(tenant), from, to, 10).await?;
        let found: Vec<_> = found.iter().filter_map(|entry| entry.event()).collect();
        ensure_eq!(found, expected, "what {tenant} finds from {from} to {to}");
    }
    ensure_eq!(probe.log().find(None, shared.id, shared.id, 10).await?.len(), 2, "bearers of an id over all tenants");
    Ok(())
}
