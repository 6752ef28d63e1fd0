use std::{
    any::TypeId,
    hash::{Hash, Hasher},
};

/// Values by Rust type. Quicker than a map, since a `TypeId` is a hash already: most look-ups are one comparison.
#[derive(Clone)]
pub(super) struct ByRustType<V> {
    /// As many as a power of two, half of them empty at least; a value lies at its type's place or after it.
    places: Vec<Option<(TypeId, V)>>,
    len: usize,
}

impl<V> Default for ByRustType<V> {
    fn default() -> Self {
        Self { places: Vec::new(), len: 0 }
    }
}

impl<V> ByRustType<V> {
    #[inline]
    pub(super) fn get(&self, rust_type: TypeId) -> Option<&V> {
        let mut at = place(rust_type);
        loop {
            let index = at & self.places.len().wrapping_sub(1);
            match self.places.get(index)? {
                Some((found, value)) if *found == rust_type => return Some(value),
                Some(_) => at = index + 1,
                None => return None,
            }
        }
    }

    pub(super) fn insert(&mut self, rust_type: TypeId, value: V) {
        if self.places.len() < (self.len + 1) * 2 {
            let values = std::mem::take(&mut self.places);
            self.places.resize_with(((self.len + 1) * 4).next_power_of_two(), || None);
            self.len = 0;
            values.into_iter().flatten().for_each(|(rust_type, value)| self.put(rust_type, value));
        }
        self.put(rust_type, value);
    }

    fn put(&mut self, rust_type: TypeId, value: V) {
        let mask = self.places.len() - 1;
        let mut index = place(rust_type) & mask;
        while self.places[index].as_ref().is_some_and(|(found, _)| *found != rust_type) {
            index = (index + 1) & mask;
        }
        self.len += usize::from(self.places[index].is_none());
        self.places[index] = Some((rust_type, value));
    }

    /// Takes out the values that are chosen.
    pub(super) fn take(&mut self, mut chosen: impl FnMut(&V) -> bool) -> Vec<V> {
        let (mut taken, mut kept) = (Vec::new(), Self::default());
        for (rust_type, value) in std::mem::take(&mut self.places).into_iter().flatten() {
            if chosen(&value) { taken.push(value) } else { kept.insert(rust_type, value) }
        }
        *self = kept;
        taken
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.places.iter().flatten().map(|(_, value)| value)
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }
}

#[inline]
fn place(rust_type: TypeId) -> usize {
    let mut hasher = TypeIdHasher(0);
    rust_type.hash(&mut hasher);
    hasher.finish() as usize
}

/// Takes the hash that a `TypeId` is.
struct TypeIdHasher(u64);

impl Hasher for TypeIdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Numbered<const N: usize>;

    fn of<const N: usize>() -> TypeId {
        TypeId::of::<Numbered<N>>()
    }

    #[test]
    fn what_is_put_in_is_found_until_it_is_taken_out() {
        let types = [of::<0>(), of::<1>(), of::<2>(), of::<3>(), of::<4>(), of::<5>(), of::<6>(), of::<7>(), of::<8>()];
        let mut table = ByRustType::default();
        assert_eq!(table.get(types[0]), None);
        for (n, rust_type) in types.into_iter().enumerate() {
            table.insert(rust_type, n + 100);
            table.insert(rust_type, n);
            assert_eq!(table.len(), n + 1);
            assert!(types[..=n].iter().enumerate().all(|(n, rust_type)| table.get(*rust_type) == Some(&n)));
            assert!(types[n + 1..].iter().all(|rust_type| table.get(*rust_type).is_none()));
        }
        let mut odd = table.take(|n| n % 2 == 1);
        odd.sort_unstable();
        assert_eq!(odd, [1, 3, 5, 7]);
        assert_eq!(table.len(), 5);
        for (n, rust_type) in types.into_iter().enumerate() {
            assert_eq!(table.get(rust_type).copied(), (n % 2 == 0).then_some(n));
        }
        assert_eq!(table.values().sum::<usize>(), 20);
    }
}
