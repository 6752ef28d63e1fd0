use std::sync::Arc;

use busway_core::{
    Entry, Error, ErrorKind, Event, HoldState, Owner, ReadRequest, Result, Start, SubscriptionRecord, TenantId,
};

use crate::{DeliveryState, DeliveryView, Engine, EventReport, browse::id_range, engine::Inner};

/// Entries looked at for what an event has caused.
const LOOKED: usize = 10_000;
/// Caused events told.
const CAUSED: usize = 100;

impl Engine {
    /// One event and what became of it, by its id or by a beginning of it that is unique (at least 4 hex
    /// digits); `NotFound`. Deliveries of subscriptions of `owner` alone, of all if `None`.
    pub async fn event(&self, tenant: Option<&TenantId>, owner: Option<&Owner>, id: &str) -> Result<EventReport> {
        let inner = &self.inner;
        let none = || Error::new(ErrorKind::NotFound, format!("no event {id}"));
        let Some((from, to)) = id_range(id) else {
            let detail = format!("{id:?} is no event id; give the id, or at least its first 4 hex digits");
            return Err(Error::new(ErrorKind::NotFound, detail));
        };
        let found = inner.stores.log.find(tenant, from, to, 2).await?;
        let entry = match found.as_slice() {
            [] => return Err(none()),
            [entry] => Arc::clone(entry),
            [first, second, ..] => {
                let ids: Vec<_> = [first, second]
                    .iter()
                    .filter_map(|entry| entry.event())
                    .map(|event| event.id.to_string())
                    .collect();
                let detail = format!("{id} is the beginning of several: {}", ids.join(", "));
                return Err(Error::new(ErrorKind::NotFound, detail));
            }
        };
        let event = Arc::clone(entry.event().ok_or_else(none)?);
        inner.reload().await?;
        let registry = inner.registry.load_full();
        let mut deliveries = Vec::new();
        for record in registry.all().filter(|record| owner.is_none_or(|owner| *owner == record.owner)) {
            if concerns(record, &entry, &event) {
                deliveries.extend(inner.delivery(record, &entry).await?);
            }
        }
        let cause = event.metadata.get("causationId").as_deref().and_then(id_range);
        let caused_by = match cause {
            Some((from, to)) => inner.stores.log.find(Some(&event.tenant), from, to, 1).await?.pop(),
            None => None,
        };
        let caused = inner.caused(&entry, &event).await?;
        Ok(EventReport { entry, deliveries, caused_by, caused })
    }
}

/// True if a subscription gets the event: it matches, and it was stored after the subscription's start.
fn concerns(record: &SubscriptionRecord, entry: &Entry, event: &Event) -> bool {
    let started = match record.definition.start {
        Start::Earliest => true,
        Start::Latest => entry.stored_at >= record.made_at,
        Start::Time(time) => entry.stored_at >= time,
    };
    started
        && record.owner.tenant().is_none_or(|tenant| *tenant == event.tenant)
        && record.definition.types.matches(&event.event_type)
}

impl Inner {
    async fn delivery(&self, record: &SubscriptionRecord, entry: &Entry) -> Result<Option<DeliveryView>> {
        let checkpoints = &self.stores.checkpoints;
        let Some(lane) = checkpoints.lane(record.id, entry.lane).await? else { return Ok(None) };
        let view = |state| DeliveryView {
            subscription: record.name.clone(),
            state,
            attempts: 0,
            due: None,
            failures: Vec::new(),
            dead_letter: None,
        };
        if let Some(letter) = checkpoints.dead_letter_of(record.id, entry.lane, entry.seq).await? {
            let last = busway_core::Failure { at: letter.died_at, error: Arc::clone(&letter.error) };
            let failures = vec![last];
            return Ok(Some(DeliveryView {
                attempts: letter.attempts,
                failures,
                dead_letter: Some(letter.id),
                ..view(DeliveryState::Dead)
            }));
        }
        let key = entry.key_id(record.definition.order);
        let turn = lane.turns.iter().find(|turn| turn.turn == entry.turn());
        let position = turn.map_or(lane.checkpoint.position, |turn| turn.position);
        Ok(Some(match lane.holds.iter().find(|hold| hold.key == key) {
            Some(hold) if hold.done >= entry.seq => view(DeliveryState::Delivered),
            Some(hold) if hold.head == Some(entry.seq) => DeliveryView {
                attempts: hold.attempt,
                due: (hold.state == HoldState::Waiting).then_some(hold.due),
                failures: hold.failures.clone(),
                ..view(DeliveryState::Held)
            },
            Some(_) if position >= entry.seq => view(DeliveryState::Held),
            Some(_) | None if position < entry.seq => view(DeliveryState::Waiting),
            _ => view(DeliveryState::Delivered),
        }))
    }

    /// What the event has caused, as far as one look goes.
    async fn caused(&self, entry: &Entry, event: &Event) -> Result<Vec<Arc<Entry>>> {
        let id = event.id.to_string();
        let mut caused = Vec::new();
        for (index, head) in self.stores.log.heads().await?.seqs.into_iter().enumerate() {
            let lane = busway_core::LaneId(index as u16);
            let mut after = if lane == entry.lane {
                entry.seq
            } else {
                busway_core::LogExt::seq_before(&*self.stores.log, lane, entry.stored_at).await?
            };
            let mut looked = 0;
            while after < head && looked < LOOKED && caused.len() < CAUSED {
                let filter =
                    busway_core::Filter { tenant: Some(event.tenant.clone()), ..busway_core::Filter::default() };
                let page = self
                    .stores
                    .log
                    .read(ReadRequest { filter, until: head, ..ReadRequest::after(lane, after, 1_000) })
                    .await?;
                looked += page.entries.len();
                let by_this = |entry: &Arc<Entry>| {
                    entry.event().is_some_and(|event| {
                        !event.metadata.is_empty() && event.metadata.get("causationId").as_deref() == Some(&id)
                    })
                };
                caused.extend(page.entries.into_iter().filter(by_this));
                if page.looked <= after {
                    break;
                }
                after = page.looked;
            }
        }
        caused.truncate(CAUSED);
        Ok(caused)
    }
}
