use std::sync::Arc;

use crate::{
    Entry, Event, EventType, Filter, Key, LaneId, Patterns, ReadRequest, TenantId,
    conformance::{
        Failed, Outcome,
        probe::{Probe, ids},
    },
};

const LANE: LaneId = LaneId(0);

/// Types that stand in one lane, and which of them each list of patterns catches.
const TYPES: [&str; 10] = [
    "shift",
    "shift.created",
    "shift.signup.created",
    "shift.signup.made.late",
    "shifts.created",
    "Shift.created",
    "video.viewed",
    "video.created",
    "a_b-c.d",
    "axb-c.d",
];
const MATRIX: &[(&[&str], &[&str])] = &[
    (&["*"], &TYPES),
    (&["shift"], &["shift"]),
    (&["shift.created"], &["shift.created"]),
    (&["shift.*"], &["shift.created", "shift.signup.created", "shift.signup.made.late"]),
    (&["*.created"], &["shift.created", "shifts.created", "Shift.created", "video.created"]),
    (
        &["*.*"],
        &[
            "shift.created",
            "shift.signup.created",
            "shift.signup.made.late",
            "shifts.created",
            "Shift.created",
            "video.viewed",
            "video.created",
            "a_b-c.d",
            "axb-c.d",
        ],
    ),
    (&["*.*.created"], &["shift.signup.created"]),
    (&["shift.*.created"], &["shift.signup.created"]),
    (&["shift.*.*"], &["shift.signup.created", "shift.signup.made.late"]),
    (&["*.signup.*"], &["shift.signup.created", "shift.signup.made.late"]),
    (&["video.viewed", "shift"], &["shift", "video.viewed"]),
    (&["video.viewed", "video.*"], &["video.viewed", "video.created"]),
    (&["a_b-c.*"], &["a_b-c.d"]),
    (&["a_b-c.d"], &["a_b-c.d"]),
    (&["nothing.*"], &[]),
];
const EXCLUSIONS: &[(&[&str], &[&str])] = &[
    (&["video.*", "!video.viewed"], &["video.created"]),
    (
        &["*", "!shift.*"],
        &["shift", "shifts.created", "Shift.created", "video.viewed", "video.created", "a_b-c.d", "axb-c.d"],
    ),
    (
        &["*", "!*.created"],
        &["shift", "shift.signup.created", "shift.signup.made.late", "video.viewed", "a_b-c.d", "axb-c.d"],
    ),
    (&["shift.*", "!shift.signup.*", "!shift.created"], &[]),
    (&["shift.created", "!video.*"], &["shift.created"]),
    (&["*", "!*"], &[]),
];

fn of_types(patterns: &[&str]) -> Result<Filter, Failed> {
    Ok(Filter { types: Some(Arc::new(Patterns::parse(patterns)?)), ..Filter::default() })
}

fn types(entries: &[Arc<Entry>]) -> Vec<String> {
    entries.iter().filter_map(|entry| entry.event()).map(|event| event.event_type.to_string()).collect()
}

/// Puts an event of each type into one lane and holds the matrix against what is read.
async fn holds(probe: &Probe, matrix: &[(&[&str], &[&str])]) -> Outcome {
    let sample = probe.event_in(LANE);
    for event_type in TYPES {
        probe.append(Event { id: probe.id(), event_type: EventType::new(event_type)?, ..sample.clone() }).await?;
    }
    for (patterns, expected) in matrix {
        let caught = types(&probe.read_all(LANE, &of_types(patterns)?).await?);
        ensure_eq!(caught, *expected, "types that {patterns:?} catches");
    }
    Ok(())
}

pub(in crate::conformance) async fn types_are_chosen_by_patterns(probe: &Probe) -> Outcome {
    holds(probe, MATRIX).await
}

pub(in crate::conformance) async fn excluded_types_are_left_out(probe: &Probe) -> Outcome {
    holds(probe, EXCLUSIONS).await
}

pub(in crate::conformance) async fn a_type_first_seen_later_is_caught_too(probe: &Probe) -> Outcome {
    let filter = of_types(&["shift.*"])?;
    let sample = probe.event_in(LANE);
    let mut after = 0;
    for event_type in ["shift.created", "video.viewed", "shift.moved", "shift.signup.made"] {
        probe.append(Event { id: probe.id(), event_type: EventType::new(event_type)?, ..sample.clone() }).await?;
        let page =
            probe.log().read(ReadRequest { filter: filter.clone(), ..ReadRequest::after(LANE, after, 10) }).await?;
        let expected = if event_type.starts_with("shift.") { vec![event_type.to_owned()] } else { Vec::new() };
        ensure_eq!(types(&page.entries), expected, "types read on after {event_type} came");
        after = page.looked;
    }
    Ok(())
}

pub(in crate::conformance) async fn a_tenant_sees_its_own_events_alone(probe: &Probe) -> Outcome {
    let tenants = ["acme", "Acme", "acme2", "acm", "a.c-m_e:1"];
    for _ in 0..3 {
        for tenant in tenants {
            let tenant = TenantId::new(tenant)?;
            let keyed = [probe.event_of(&tenant, LANE), Event { tenant, key: Some(Key::new("k")?), ..probe.event() }];
            for event in keyed {
                probe.append(event).await?;
            }
        }
    }
    for name in tenants {
        let filter = Filter { tenant: Some(TenantId::new(name)?), ..Filter::default() };
        let mut count = 0;
        for lane in probe.lanes() {
            for entry in probe.read_all(lane, &filter).await? {
                let tenant = entry.event().map(|event| event.tenant.as_str());
                ensure_eq!(tenant, Some(name), "whose event a tenant sees");
                count += 1;
            }
        }
        ensure_eq!(count, 6, "events that tenant {name} sees of its own");
    }
    let none = Filter { tenant: Some(TenantId::new("bolt")?), ..Filter::default() };
    for lane in probe.lanes() {
        ensure!(probe.read_all(lane, &none).await?.is_empty(), "a tenant without events sees some");
    }
    Ok(())
}

pub(in crate::conformance) async fn tenants_may_be_left_out(probe: &Probe) -> Outcome {
    let mut all = Vec::new();
    for name in ["acme", "bolt", "corp", "Bolt", "acme", "bolt"] {
        let event = probe.event_of(&TenantId::new(name)?, LANE);
        all.push((name, event.id));
        probe.append(event).await?;
    }
    let cases: [&[&str]; 5] = [&["bolt"], &["acme", "bolt"], &["nobody"], &["acme", "bolt", "corp", "Bolt"], &[]];
    for left_out in cases {
        let except = left_out.iter().map(|name| TenantId::new(*name)).collect::<Result<_, _>>()?;
        let found = ids(&probe.read_all(LANE, &Filter { except, ..Filter::default() }).await?);
        let others: Vec<_> = all.iter().filter(|(name, _)| !left_out.contains(name)).map(|(_, id)| *id).collect();
        ensure_eq!(found, others, "events without those of {left_out:?}");
    }
    Ok(())
}

pub(in crate::conformance) async fn tenant_and_types_choose_together(probe: &Probe) -> Outcome {
    let mut expected = Vec::new();
    for tenant in ["acme", "bolt"] {
        for event_type in ["shift.created", "video.viewed"] {
            let event =
                Event { event_type: EventType::new(event_type)?, ..probe.event_of(&TenantId::new(tenant)?, LANE) };
            if (tenant, event_type) == ("bolt", "shift.created") {
                expected.push(event.id);
            }
            probe.append(event).await?;
        }
    }
    let filter = Filter { tenant: Some(TenantId::new("bolt")?), ..of_types(&["shift.*"])? };
    ensure_eq!(ids(&probe.read_all(LANE, &filter).await?), expected, "bolt's shift.*");
    Ok(())
}
