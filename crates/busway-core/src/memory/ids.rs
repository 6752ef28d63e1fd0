use std::{
    collections::{HashMap, hash_map},
    sync::Arc,
};

use foldhash::{SharedSeed, fast::SeedableRandomState};
use uuid::Uuid;

use crate::{Entry, Event, TenantId};

/// Every entry that is kept, by its event's id and tenant.
#[derive(Debug)]
pub(super) struct Ids(HashMap<Uuid, Bearers, SeedableRandomState>);

/// Who bears an id: nearly always one entry, since only different tenants may share it.
#[derive(Debug)]
enum Bearers {
    One(Arc<Entry>),
    Several(Vec<Arc<Entry>>),
}

impl Bearers {
    fn entries(&self) -> &[Arc<Entry>] {
        match self {
            Self::One(entry) => std::slice::from_ref(entry),
            Self::Several(entries) => entries,
        }
    }

    fn of(&self, tenant: &TenantId) -> Option<&Arc<Entry>> {
        self.entries().iter().find(|entry| entry.event().is_some_and(|event| event.tenant == *tenant))
    }

    fn add(&mut self, entry: Arc<Entry>) {
        match self {
            Self::One(first) => *self = Self::Several(vec![first.clone(), entry]),
            Self::Several(entries) => entries.push(entry),
        }
    }
}

impl Ids {
    pub(super) fn new(seed: u64) -> Self {
        Self(HashMap::with_hasher(SeedableRandomState::with_seed(seed, SharedSeed::global_fixed())))
    }

    /// The entry of an event's (tenant, id), if one is kept.
    pub(super) fn first(&self, event: &Event) -> Option<&Arc<Entry>> {
        self.0.get(&event.id)?.of(&event.tenant)
    }

    /// All entries with this id.
    pub(super) fn all(&self, id: Uuid) -> &[Arc<Entry>] {
        self.0.get(&id).map_or(&[], Bearers::entries)
    }

    /// Remembers the entry that `make` makes, unless the event's (tenant, id) is kept: then that one's entry is
    /// the error.
    pub(super) fn add(&mut self, event: &Event, make: impl FnOnce() -> Arc<Entry>) -> Result<Arc<Entry>, Arc<Entry>> {
        match self.0.entry(event.id) {
            hash_map::Entry::Vacant(slot) => {
                let entry = make();
                slot.insert(Bearers::One(entry.clone()));
                Ok(entry)
            }
            hash_map::Entry::Occupied(mut bearers) => match bearers.get().of(&event.tenant) {
                Some(first) => Err(first.clone()),
                None => {
                    let entry = make();
                    bearers.get_mut().add(entry.clone());
                    Ok(entry)
                }
            },
        }
    }

    /// Forgets an event's (tenant, id).
    pub(super) fn remove(&mut self, event: &Event) {
        let hash_map::Entry::Occupied(mut bearers) = self.0.entry(event.id) else { return };
        if let Bearers::Several(entries) = bearers.get_mut() {
            entries.retain(|entry| entry.event().is_none_or(|kept| kept.tenant != event.tenant));
            if !entries.is_empty() {
                return;
            }
        }
        bearers.remove();
    }
}
