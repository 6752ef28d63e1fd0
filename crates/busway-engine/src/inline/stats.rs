use std::{collections::BTreeMap, sync::Arc, time::Duration};

use busway_core::EventType;

use super::latency::Times;

/// What has been emitted, and what inline listeners did with it, since the start of the process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InlineStats {
    /// How often each type was emitted or published.
    pub emitted: BTreeMap<EventType, u64>,
    /// The same of types that are not counted singly: the rarer ones, once there are thousands.
    pub emitted_others: u64,
    /// The listeners in the order of registration; those of one name as one.
    pub listeners: Vec<ListenerStats>,
    /// Emissions that were dropped, since listeners emitted them in a loop.
    pub looped: u64,
}

/// What the inline listeners of one name did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerStats {
    /// The name.
    pub name: Arc<str>,
    /// Calls, those that failed included.
    pub executed: u64,
    /// Calls that ended with an error or a panic.
    pub failed: u64,
    /// Calls whose time was taken: those of one emission in 64.
    pub timed: u64,
    /// What half of the timed calls did not exceed, to 3%; `None` if there are none.
    pub p50: Option<Duration>,
    /// What 99 of 100 timed calls did not exceed, likewise.
    pub p99: Option<Duration>,
}

impl ListenerStats {
    pub(super) fn new(name: Arc<str>) -> Self {
        Self { name, executed: 0, failed: 0, timed: 0, p50: None, p99: None }
    }

    pub(super) fn with(self, times: &Times) -> Self {
        Self { timed: times.count(), p50: times.quantile(0.5), p99: times.quantile(0.99), ..self }
    }
}
