use async_trait::async_trait;

use super::{
    Double, Twist,
    twist::{CheckpointsTwist, Sound},
};
use crate::{Checkpoints, MemberId, OperationRecord, OperationState, Result};

/// Gives the lease to whoever asks.
struct GivesToAnyone;

#[async_trait]
impl CheckpointsTwist for GivesToAnyone {
    async fn lease(
        &self,
        sound: Sound<'_, dyn Checkpoints>,
        name: &str,
        member: MemberId,
        _stale: Option<(MemberId, u64)>,
    ) -> Result<(MemberId, u64)> {
        let held = sound.lease(name, member, None).await?;
        sound.lease(name, member, Some(held)).await
    }
}

/// Gives the lease to whoever thinks that it stood still.
struct BelievesInStanding;

#[async_trait]
impl CheckpointsTwist for BelievesInStanding {
    async fn lease(
        &self,
        sound: Sound<'_, dyn Checkpoints>,
        name: &str,
        member: MemberId,
        stale: Option<(MemberId, u64)>,
    ) -> Result<(MemberId, u64)> {
        let held = sound.lease(name, member, None).await?;
        sound.lease(name, member, stale.map(|_| held)).await
    }
}

/// Never gives a lease to another.
struct NeverTakesOver;

#[async_trait]
impl CheckpointsTwist for NeverTakesOver {
    async fn lease(
        &self,
        sound: Sound<'_, dyn Checkpoints>,
        name: &str,
        member: MemberId,
        _stale: Option<(MemberId, u64)>,
    ) -> Result<(MemberId, u64)> {
        sound.lease(name, member, None).await
    }
}

struct ForgetsWhy;

#[async_trait]
impl CheckpointsTwist for ForgetsWhy {
    async fn operations(&self, sound: Sound<'_, dyn Checkpoints>) -> Result<Vec<OperationRecord>> {
        let mut operations = sound.operations().await?;
        operations.iter_mut().for_each(|operation| operation.error = None);
        Ok(operations)
    }
}

/// Saves a change whatever version is stored.
struct Overwrites;

#[async_trait]
impl CheckpointsTwist for Overwrites {
    async fn save_operation(
        &self,
        sound: Sound<'_, dyn Checkpoints>,
        operation: &OperationRecord,
        expected: Option<u64>,
    ) -> Result<bool> {
        let stored = sound.operations().await?.into_iter().find(|stored| stored.id == operation.id);
        let expected = stored.map(|stored| stored.version).filter(|_| expected.is_some()).or(expected);
        sound.save_operation(operation, expected).await
    }
}

/// Forgets operations once they have ended.
struct ForgetsTheEnded;

#[async_trait]
impl CheckpointsTwist for ForgetsTheEnded {
    async fn operations(&self, sound: Sound<'_, dyn Checkpoints>) -> Result<Vec<OperationRecord>> {
        let mut operations = sound.operations().await?;
        operations.retain(|operation| operation.state == OperationState::Running);
        Ok(operations)
    }
}

pub(super) const ALL: &[Double] = &[
    Double {
        fault: "gives one lease to two members",
        noticed_by: &["a_lease_has_one_holder_who_raises_its_counter", "of_many_who_take_a_lease_at_once_one_gets_it"],
        twist: || Twist::checkpoints(GivesToAnyone),
    },
    Double {
        fault: "takes a lease from a holder who lives",
        noticed_by: &["a_lease_that_stood_still_is_taken_and_one_that_moved_is_not"],
        twist: || Twist::checkpoints(BelievesInStanding),
    },
    Double {
        fault: "leaves a lease to the dead",
        noticed_by: &[
            "a_lease_that_stood_still_is_taken_and_one_that_moved_is_not",
            "of_many_who_take_a_lease_at_once_one_gets_it",
        ],
        twist: || Twist::checkpoints(NeverTakesOver),
    },
    Double {
        fault: "forgets why an operation failed",
        noticed_by: &["operations_come_back_as_they_were_saved"],
        twist: || Twist::checkpoints(ForgetsWhy),
    },
    Double {
        fault: "saves an operation over a newer version",
        noticed_by: &[
            "an_operation_changes_only_from_its_stored_version",
            "of_many_who_change_an_operation_at_once_one_is_not_refused",
        ],
        twist: || Twist::checkpoints(Overwrites),
    },
    Double {
        fault: "forgets operations that have ended",
        noticed_by: &[
            "what_runs_and_the_newest_thousand_that_ended_are_kept",
            "operations_come_back_as_they_were_saved",
        ],
        twist: || Twist::checkpoints(ForgetsTheEnded),
    },
];
