use async_trait::async_trait;
use busway_core::{
    Checkpoints, CommitOutcome, DeadLetter, DeadLetterQuery, LaneCommit, LaneId, OperationRecord, Page, Payload,
    Result, Seq, SubscriptionId,
    conformance::doubles::{CheckpointsTwist, Double, Sound, Twist},
};

/// Stores other dead letters than were sent.
struct Letters(fn(&mut LaneCommit));

#[async_trait]
impl CheckpointsTwist for Letters {
    async fn commit(&self, sound: Sound<'_, dyn Checkpoints>, mut commit: LaneCommit) -> Result<CommitOutcome> {
        self.0(&mut commit);
        sound.commit(commit).await
    }
}

/// Says that a dead letter is edited, and edits nothing.
struct EditsNothing;

#[async_trait]
impl CheckpointsTwist for EditsNothing {
    async fn edit_dead_letter(&self, sound: Sound<'_, dyn Checkpoints>, id: u64, _payload: &Payload) -> Result<bool> {
        Ok(sound.dead_letter(id).await?.is_some())
    }
}

/// Delivers what is edited as it was before.
struct RetriesTheOriginal;

#[async_trait]
impl CheckpointsTwist for RetriesTheOriginal {
    async fn dead_letter_of(
        &self,
        sound: Sound<'_, dyn Checkpoints>,
        id: SubscriptionId,
        lane: LaneId,
        seq: Seq,
    ) -> Result<Option<DeadLetter>> {
        let letter = sound.dead_letter_of(id, lane, seq).await?;
        Ok(letter.map(|letter| DeadLetter { edited_payload: None, ..letter }))
    }
}

/// Shows everybody's dead letters to everybody.
struct ShowsThemToAll;

#[async_trait]
impl CheckpointsTwist for ShowsThemToAll {
    async fn dead_letters(
        &self,
        sound: Sound<'_, dyn Checkpoints>,
        query: &DeadLetterQuery,
    ) -> Result<Page<DeadLetter>> {
        sound.dead_letters(&DeadLetterQuery { owner: None, ..query.clone() }).await
    }
}

/// Drops dead letters with their subscription whatever is asked.
struct KeepsNone;

#[async_trait]
impl CheckpointsTwist for KeepsNone {
    async fn remove_subscription(
        &self,
        sound: Sound<'_, dyn Checkpoints>,
        id: SubscriptionId,
        _keep: bool,
    ) -> Result<bool> {
        sound.remove_subscription(id, false).await
    }
}

/// Says that an operation is saved, and forgets its progress.
struct ForgetsOperations;

#[async_trait]
impl CheckpointsTwist for ForgetsOperations {
    async fn save_operation(
        &self,
        _sound: Sound<'_, dyn Checkpoints>,
        _operation: &OperationRecord,
        _expected: Option<u64>,
    ) -> Result<bool> {
        Ok(true)
    }
}

pub(super) const ALL: &[Double] = &[
    Double {
        fault: "loses dead letters",
        noticed_by: &[
            "the_last_failure_goes_to_the_dead_letters_with_all_that_is_known",
            "an_event_that_kills_its_process_is_dead_after_its_attempts",
        ],
        twist: || Twist::checkpoints(Letters(|commit| commit.dead.clear())),
    },
    Double {
        fault: "forgets why a delivery is dead",
        noticed_by: &["the_last_failure_goes_to_the_dead_letters_with_all_that_is_known"],
        twist: || Twist::checkpoints(Letters(|commit| commit.dead.iter_mut().for_each(|letter| letter.attempts = 0))),
    },
    Double {
        fault: "keeps dead letters that were acknowledged or discarded",
        noticed_by: &[
            "a_retried_dead_letter_runs_once_and_goes_when_acknowledged",
            "a_discarded_dead_letter_is_gone_and_runs_no_more",
        ],
        twist: || Twist::checkpoints(Letters(|commit| commit.buried.clear())),
    },
    Double {
        fault: "edits nothing",
        noticed_by: &["an_edited_dead_letter_is_delivered_as_edited"],
        twist: || Twist::checkpoints(EditsNothing),
    },
    Double {
        fault: "retries what was edited as it was before",
        noticed_by: &[
            "an_edited_dead_letter_is_delivered_as_edited",
            "a_dead_letter_of_a_pull_subscription_is_retried_edited_and_discarded",
        ],
        twist: || Twist::checkpoints(RetriesTheOriginal),
    },
    Double {
        fault: "shows dead letters to everybody",
        noticed_by: &["a_tenant_sees_nothing_of_another"],
        twist: || Twist::checkpoints(ShowsThemToAll),
    },
    Double {
        fault: "keeps no dead letter of what is removed",
        noticed_by: &["dead_letters_outlive_their_subscription_if_asked"],
        twist: || Twist::checkpoints(KeepsNone),
    },
    Double {
        fault: "forgets operations",
        noticed_by: &[
            "many_dead_letters_are_retried_also_when_their_member_is_gone",
            "a_replay_reaches_one_subscription_and_touches_no_other",
        ],
        twist: || Twist::checkpoints(ForgetsOperations),
    },
];
