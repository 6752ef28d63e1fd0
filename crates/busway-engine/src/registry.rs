use std::{collections::BTreeMap, sync::Arc};

use busway_core::{Error, ErrorKind, Owner, Result, SubscriptionId, SubscriptionName, SubscriptionRecord};

/// Every subscription, as last seen in the store.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    by_id: BTreeMap<SubscriptionId, Arc<SubscriptionRecord>>,
    by_name: BTreeMap<(Owner, SubscriptionName), SubscriptionId>,
}

impl Registry {
    pub(crate) fn of(records: Vec<SubscriptionRecord>) -> Self {
        let named = records.iter().filter(|record| record.replay.is_none());
        let by_name = named.map(|record| ((record.owner.clone(), record.name.clone()), record.id)).collect();
        let by_id = records.into_iter().map(|record| (record.id, Arc::new(record))).collect();
        Self { by_id, by_name }
    }

    pub(crate) fn get(&self, id: SubscriptionId) -> Option<&Arc<SubscriptionRecord>> {
        self.by_id.get(&id)
    }

    /// By name; the error names the nearest.
    pub(crate) fn named(&self, owner: &Owner, name: &SubscriptionName) -> Result<Arc<SubscriptionRecord>> {
        let id = self.by_name.get(&(owner.clone(), name.clone()));
        id.and_then(|id| self.by_id.get(id)).cloned().ok_or_else(|| {
            let mut near: Vec<_> =
                self.all().filter(|record| record.owner == *owner).map(|record| record.name.as_str()).collect();
            near.sort_by_key(|other| (distance(other, name.as_str()), *other));
            let hint = match near.first() {
                Some(nearest) if distance(nearest, name.as_str()) <= 3 => format!("; did you mean `{nearest}`?"),
                Some(_) => String::new(),
                None => "; there is none yet".into(),
            };
            Error::new(ErrorKind::NotFound, format!("no subscription `{name}`{hint}"))
        })
    }

    /// All but replays, by (owner, name).
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<SubscriptionRecord>> {
        self.by_name.values().filter_map(|id| self.by_id.get(id))
    }

    /// Replays.
    pub(crate) fn replays(&self) -> impl Iterator<Item = &Arc<SubscriptionRecord>> {
        self.by_id.values().filter(|record| record.replay.is_some())
    }
}

/// How many letters have to be put in, taken out or changed to get from one name to the other.
pub(crate) fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = if x == *y { diagonal } else { 1 + diagonal.min(above).min(row[j]) };
            diagonal = above;
        }
    }
    row[b.len()]
}
