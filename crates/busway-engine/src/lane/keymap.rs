use std::{
    collections::HashMap,
    hash::{Hash, Hasher},
};

use busway_core::KeyId;
use foldhash::fast::RandomState;

/// A map by key. Two with the same content are equal and hash alike; it is never walked in an order that
/// chance decides.
#[derive(Clone, Debug)]
pub(super) struct KeyMap<V>(HashMap<KeyId, V, RandomState>);

impl<V> Default for KeyMap<V> {
    fn default() -> Self {
        Self(HashMap::default())
    }
}

impl<V> KeyMap<V> {
    pub(super) fn get(&self, key: &KeyId) -> Option<&V> {
        self.0.get(key)
    }

    pub(super) fn get_mut(&mut self, key: &KeyId) -> Option<&mut V> {
        self.0.get_mut(key)
    }

    pub(super) fn insert(&mut self, key: KeyId, value: V) {
        self.0.insert(key, value);
    }

    pub(super) fn remove(&mut self, key: &KeyId) -> Option<V> {
        self.0.remove(key)
    }

    pub(super) fn contains(&self, key: &KeyId) -> bool {
        self.0.contains_key(key)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// For questions whose answer does not depend on the order.
    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.0.values()
    }
}

impl<V: PartialEq> PartialEq for KeyMap<V> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<V: Eq> Eq for KeyMap<V> {}

impl<V: Hash> Hash for KeyMap<V> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut entries: Vec<_> = self.0.iter().collect();
        entries.sort_unstable_by_key(|(key, _)| **key);
        entries.hash(state);
    }
}
