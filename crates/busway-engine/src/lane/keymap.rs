use std::{
    collections::HashMap,
    hash::{Hash, Hasher},
};

use busway_core::KeyId;
use foldhash::fast::RandomState;

/// A map by key, or by what else tells things apart. Two with the same content are equal and hash alike; it is never walked in an order that
/// chance decides.
#[derive(Clone, Debug)]
pub(super) struct KeyMap<V, K = KeyId>(HashMap<K, V, RandomState>);

impl<V, K> Default for KeyMap<V, K> {
    fn default() -> Self {
        Self(HashMap::default())
    }
}

impl<V, K: Copy + Eq + Hash> KeyMap<V, K> {
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.0.get(key)
    }

    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.0.get_mut(key)
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        self.0.insert(key, value);
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        self.0.remove(key)
    }

    pub(super) fn contains(&self, key: &K) -> bool {
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

impl<V: PartialEq, K: Eq + Hash> PartialEq for KeyMap<V, K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<V: Eq, K: Eq + Hash> Eq for KeyMap<V, K> {}

impl<V: Hash, K: Copy + Ord + Hash> Hash for KeyMap<V, K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut entries: Vec<_> = self.0.iter().collect();
        entries.sort_unstable_by_key(|(key, _)| **key);
        entries.hash(state);
    }
}
