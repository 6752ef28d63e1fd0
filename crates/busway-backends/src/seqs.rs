//! Numbers packed into few bytes.

use busway_core::Seq;

/// Appends a number, seven bits to a byte, the lowest first (LEB128).
pub(crate) fn put_number(bytes: &mut Vec<u8>, number: u64) {
    let mut rest = number;
    while rest >= 0x80 {
        bytes.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
}

/// Takes a number off the front; `None` if none stands there.
pub(crate) fn take_number(bytes: &mut &[u8]) -> Option<u64> {
    let (mut number, mut shift): (u64, u32) = (0, 0);
    loop {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7f);
        if shift > 63 || bits.leading_zeros() < shift {
            return None;
        }
        number |= bits << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
}

/// Seqs as numbers, the first and then each one's distance from the one before. They are sorted, and repeats are
/// left out.
pub(crate) fn pack(seqs: &[Seq]) -> Vec<u8> {
    let mut seqs = seqs.to_vec();
    seqs.sort_unstable();
    seqs.dedup();
    let mut bytes = Vec::with_capacity(seqs.len() * 2 + 8);
    let mut before = 0;
    for seq in seqs {
        put_number(&mut bytes, seq - before);
        before = seq;
    }
    bytes
}

/// The seqs again, ascending; `None` if the bytes were not packed by [`pack`].
pub(crate) fn unpack(mut bytes: &[u8]) -> Option<Vec<Seq>> {
    let mut seqs = Vec::with_capacity(bytes.len());
    let mut before: Seq = 0;
    while !bytes.is_empty() {
        before = before.checked_add(take_number(&mut bytes)?)?;
        seqs.push(before);
    }
    Some(seqs)
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
