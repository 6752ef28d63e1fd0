use std::sync::{Mutex, MutexGuard, PoisonError};

use busway_core::{Appended, Epoch, Heads, LaneId, Seq};

/// Bits of a seq below the number of its part.
const SEQ_BITS: u32 = 40;

/// The number of the part that a seq lies in; they count from 1.
pub(super) fn part_of(seq: Seq) -> u32 {
    u32::try_from(seq >> SEQ_BITS).map_or(u32::MAX, |part| part.saturating_add(1))
}

/// The last seq that a part can have.
pub(super) fn last_of(part: u32) -> Seq {
    (u64::from(part) << SEQ_BITS) - 1
}

/// Where the log ends and begins, as this process last heard: what is told here was so before it is asked for.
#[derive(Debug)]
pub(super) struct Known(Mutex<Ends>);

#[derive(Debug)]
struct Ends {
    heads: Heads,
    lowest: u32,
}

impl Known {
    pub(super) fn nothing(lanes: u16) -> Self {
        let zeros = || vec![0; usize::from(lanes)];
        Self(Mutex::new(Ends { heads: Heads { epoch: Epoch(0), seqs: zeros(), pruned: zeros() }, lowest: 1 }))
    }

    fn ends(&self) -> MutexGuard<'_, Ends> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To be told what the server said, also if another answer overtook this one.
    pub(super) fn heard(&self, heads: &Heads, lowest: u32) {
        let mut ends = self.ends();
        if ends.heads.epoch != heads.epoch {
            *ends = Ends { heads: heads.clone(), lowest };
            return;
        }
        let raise = |known: &mut [Seq], heard: &[Seq]| {
            known.iter_mut().zip(heard).for_each(|(known, heard)| *known = (*known).max(*heard));
        };
        raise(&mut ends.heads.seqs, &heads.seqs);
        raise(&mut ends.heads.pruned, &heads.pruned);
        ends.lowest = ends.lowest.max(lowest);
    }

    /// To be told what this process appended.
    pub(super) fn appended(&self, appended: &[Appended]) {
        let mut ends = self.ends();
        for appended in appended {
            if let Some(head) = ends.heads.seqs.get_mut(usize::from(appended.lane.0)) {
                *head = (*head).max(appended.seq);
            }
        }
    }

    /// Where the lanes end.
    pub(super) fn heads(&self) -> Vec<Seq> {
        self.ends().heads.seqs.clone()
    }

    /// Where a lane ends, and up to where it is pruned.
    pub(super) fn lane(&self, lane: LaneId) -> (Seq, Seq) {
        let ends = self.ends();
        let of = |seqs: &[Seq]| seqs.get(usize::from(lane.0)).copied().unwrap_or_default();
        (of(&ends.heads.seqs), of(&ends.heads.pruned))
    }

    /// The lowest part that is left.
    pub(super) fn lowest(&self) -> u32 {
        self.ends().lowest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heads(epoch: u64, seqs: [Seq; 2]) -> Heads {
        Heads { epoch: Epoch(epoch), seqs: seqs.into(), pruned: vec![0, 0] }
    }

    #[test]
    fn a_part_has_its_seqs_and_no_others() {
        for part in [1, 2, 8_192] {
            assert_eq!((part_of(last_of(part)), part_of(last_of(part) + 1)), (part, part + 1));
        }
        assert_eq!(part_of(0), 1);
    }

    #[test]
    fn heads_rise_until_the_log_is_another() {
        let known = Known::nothing(2);
        known.heard(&heads(7, [10, 20]), 1);
        known.heard(&heads(7, [12, 19]), 1);
        assert_eq!(known.heads(), [12, 20]);
        known.heard(&heads(8, [3, 4]), 1);
        assert_eq!((known.heads(), known.lane(LaneId(1)).0), (vec![3, 4], 4));
    }
}
