use async_trait::async_trait;

use super::{
    Double, Twist,
    twist::{CheckpointsTwist, Sound},
};
use crate::{Checkpoints, HoldRecord, KeyId, LaneId, LaneRecord, Result, Seq, SubscriptionId};

/// Gives holds back otherwise than they were stored.
struct Loads(fn(&mut HoldRecord));

#[async_trait]
impl CheckpointsTwist for Loads {
    async fn lane(
        &self,
        sound: Sound<'_, dyn Checkpoints>,
        id: SubscriptionId,
        lane: LaneId,
    ) -> Result<Option<LaneRecord>> {
        let mut stored = sound.lane(id, lane).await?;
        stored.iter_mut().flat_map(|stored| &mut stored.holds).for_each(self.0);
        Ok(stored)
    }
}

/// Counts holds and overlooks what they need.
struct NeedsNothing;

#[async_trait]
impl CheckpointsTwist for NeedsNothing {
    async fn hold_counts(
        &self,
        sound: Sound<'_, dyn Checkpoints>,
        subscription: SubscriptionId,
    ) -> Result<Vec<(LaneId, u64, Seq)>> {
        let counts = sound.hold_counts(subscription).await?;
        Ok(counts.into_iter().map(|(lane, holds, _)| (lane, holds, Seq::MAX)).collect())
    }
}

pub(super) const ALL: &[Double] = &[
    Double {
        fault: "keeps 64 bits of a hold's key",
        noticed_by: &["holds_come_back_as_they_were_written"],
        twist: || Twist::checkpoints(Loads(|hold| hold.key = KeyId(hold.key.0 & u128::from(u64::MAX)))),
    },
    Double {
        fault: "cuts the text of a failure at its first NUL",
        noticed_by: &["holds_come_back_as_they_were_written"],
        twist: || {
            Twist::checkpoints(Loads(|hold| {
                for failure in &mut hold.failures {
                    failure.error = failure.error.split('\0').next().unwrap_or_default().into();
                }
            }))
        },
    },
    Double {
        fault: "forgets one more of a backlog than is done",
        noticed_by: &["the_backlog_of_a_hold_grows_by_chunks_and_loses_what_is_done"],
        twist: || {
            Twist::checkpoints(Loads(|hold| {
                if hold.done > 0 && !hold.backlog.is_empty() {
                    hold.backlog.remove(0);
                }
            }))
        },
    },
    Double {
        fault: "loads the first thousand of a backlog",
        noticed_by: &["a_hold_remembers_a_hundred_thousand_events"],
        twist: || Twist::checkpoints(Loads(|hold| hold.backlog.truncate(1_000))),
    },
    Double {
        fault: "overlooks what holds still need",
        noticed_by: &["hold_counts_tell_how_many_and_the_least_seq_needed"],
        twist: || Twist::checkpoints(NeedsNothing),
    },
];
