use busway_core::{LaneId, Seq};

/// Bits of a place that hold the seq.
const SEQ_BITS: u32 = 48;
const MOST_SEQ: Seq = (1 << SEQ_BITS) - 1;

/// The primary key of an entry: its lane above, its seq below. A seq beyond what fits is as the last that does.
pub(super) fn place(lane: LaneId, seq: Seq) -> i64 {
    i64::from(lane.0) << SEQ_BITS | seq.min(MOST_SEQ).cast_signed()
}

pub(super) fn first_place(lane: LaneId) -> i64 {
    place(lane, 0)
}

pub(super) fn last_place(lane: LaneId) -> i64 {
    place(lane, MOST_SEQ)
}

pub(super) fn lane_of(place: i64) -> LaneId {
    LaneId((place >> SEQ_BITS) as u16)
}

pub(super) fn seq_of(place: i64) -> Seq {
    place.cast_unsigned() & MOST_SEQ
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_rise_by_lane_and_then_by_seq() {
        let rising = [(0, 0), (0, 1), (0, MOST_SEQ), (1, 0), (1, 7), (1_023, MOST_SEQ)];
        let places: Vec<i64> = rising.iter().map(|(lane, seq)| place(LaneId(*lane), *seq)).collect();
        assert!(places.is_sorted_by(|a, b| a < b), "{places:?}");
        let back: Vec<(u16, Seq)> = places.iter().map(|place| (lane_of(*place).0, seq_of(*place))).collect();
        assert_eq!(back, rising);
    }
}
