use busway_core::{Epoch, KeyId, LaneId, Seq};

use crate::lane::pull::Lease;

/// A delivery as its id names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct DeliveryId {
    pub(super) lane: LaneId,
    pub(super) key: KeyId,
    pub(super) seq: Seq,
    pub(super) fence: u64,
    /// Of the log: one that was restored gives the same seqs and fences to other events.
    pub(super) epoch: u64,
    /// It is one of the subscription's replay.
    pub(super) replay: bool,
}

impl DeliveryId {
    pub(super) fn of(lane: LaneId, lease: &Lease, epoch: Epoch, replay: bool) -> Self {
        Self { lane, key: lease.key, seq: lease.seq, fence: lease.fence, epoch: epoch.0, replay }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let (text, replay) = match text.strip_prefix('r') {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        let mut parts = text.split('-');
        let mut next = || parts.next();
        let id = Self {
            lane: LaneId(u16::from_str_radix(next()?, 16).ok()?),
            seq: u64::from_str_radix(next()?, 16).ok()?,
            fence: u64::from_str_radix(next()?, 16).ok()?,
            key: KeyId(u128::from_str_radix(next()?, 16).ok()?),
            epoch: u64::from_str_radix(next()?, 16).ok()?,
            replay,
        };
        parts.next().is_none().then_some(id)
    }

    /// As a puller gets it.
    pub(super) fn to_text(self) -> String {
        let mut text = String::with_capacity(96);
        if self.replay {
            text.push('r');
        }
        push_hex(&mut text, self.lane.0.into());
        for number in [self.seq.into(), self.fence.into(), self.key.0, self.epoch.into()] {
            text.push('-');
            push_hex(&mut text, number);
        }
        text
    }
}

/// As `{:x}` would, which takes several times as long; a pull does so thousands of times.
fn push_hex(text: &mut String, number: u128) {
    let digits = (u128::BITS - number.leading_zeros()).div_ceil(4).max(1);
    let digit = |place: u32| char::from_digit((number >> (4 * place)) as u32 & 15, 16);
    text.extend((0..digits).rev().filter_map(digit));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_was_written() {
        for (number, replay) in [(0, false), (7, true), (0x10, false), (u64::MAX, true)] {
            let key = KeyId(u128::from(number) << 64 | u128::from(number));
            let id = DeliveryId { lane: LaneId(number as u16), key, seq: number, fence: number, epoch: number, replay };
            let text = id.to_text();
            let mark = if replay { "r" } else { "" };
            assert_eq!(text, format!("{mark}{:x}-{number:x}-{number:x}-{:x}-{number:x}", number as u16, key.0));
            assert_eq!(DeliveryId::parse(&text), Some(id));
        }
    }

    #[test]
    fn what_is_no_id_is_not_read_as_one() {
        for text in ["", "r", "1-2-3-4", "1-2-3-4-5-6", "1-2-3-4-g", "10000-2-3-4-5", "rr1-2-3-4-5"] {
            assert_eq!(DeliveryId::parse(text), None, "{text}");
        }
    }
}
