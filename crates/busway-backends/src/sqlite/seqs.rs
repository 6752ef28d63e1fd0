use busway_core::Seq;

/// Seqs as LEB128 numbers, the first and then each one's distance from the one before. They are sorted, and
/// repeats are left out.
pub(super) fn pack(seqs: &[Seq]) -> Vec<u8> {
    let mut seqs = seqs.to_vec();
    seqs.sort_unstable();
    seqs.dedup();
    let mut bytes = Vec::with_capacity(seqs.len() * 2 + 8);
    let mut before = 0;
    for seq in seqs {
        let mut rest = seq - before;
        while rest >= 0x80 {
            bytes.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        bytes.push(rest as u8);
        before = seq;
    }
    bytes
}

/// The seqs again, ascending; `None` if the bytes were not packed by [`pack`].
pub(super) fn unpack(bytes: &[u8]) -> Option<Vec<Seq>> {
    let mut seqs = Vec::with_capacity(bytes.len());
    let (mut before, mut distance, mut shift): (Seq, Seq, u32) = (0, 0, 0);
    for byte in bytes {
        let bits = Seq::from(byte & 0x7f);
        if shift > 63 || bits.leading_zeros() < shift {
            return None;
        }
        distance |= bits << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            before = before.checked_add(distance)?;
            seqs.push(before);
            (distance, shift) = (0, 0);
        }
    }
    (shift == 0).then_some(seqs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_back_sorted_and_once() {
        let cases: [(&[Seq], &[Seq]); 5] = [
            (&[], &[]),
            (&[0], &[0]),
            (&[1, 2, 3, 130, 20_000], &[1, 2, 3, 130, 20_000]),
            (&[9, 5, 9, 7], &[5, 7, 9]),
            (&[0, 127, 128, Seq::MAX - 1, Seq::MAX], &[0, 127, 128, Seq::MAX - 1, Seq::MAX]),
        ];
        for (seqs, sorted) in cases {
            assert_eq!(unpack(&pack(seqs)).as_deref(), Some(sorted));
        }
    }

    #[test]
    fn near_neighbours_take_a_byte_each() {
        let seqs: Vec<Seq> = (0..1_000).map(|n| 5_000_000 + n * 100).collect();
        assert!(pack(&seqs).len() < 1_010);
    }

    #[test]
    fn damaged_bytes_are_noticed() {
        assert_eq!(unpack(&[0x80]), None);
        assert_eq!(unpack(&[0xff; 12]), None);
        let over = [pack(&[Seq::MAX]), vec![1]].concat();
        assert_eq!(unpack(&over), None);
    }
}
