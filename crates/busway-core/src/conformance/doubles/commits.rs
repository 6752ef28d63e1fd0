use std::{collections::HashMap, sync::Mutex};

use async_trait::async_trait;

use super::{
    Double, Twist,
    appends::lock,
    twist::{CheckpointsTwist, Sound},
};
use crate::{
    Checkpoint, Checkpoints, CommitOutcome, KeyId, LaneCommit, LaneId, LaneRecord, Result, Seq, SubscriptionId, Version,
};

/// Stores another commit than was sent.
struct Stores(fn(&mut LaneCommit));

#[async_trait]
impl CheckpointsTwist for Stores {
    async fn commit(&self, sound: Sound<'_, dyn Checkpoints>, mut commit: LaneCommit) -> Result<CommitOutcome> {
        self.0(&mut commit);
        sound.commit(commit).await
    }
}

async fn stored(sound: &Sound<'_, dyn Checkpoints>, commit: &LaneCommit) -> Result<Option<Checkpoint>> {
    Ok(sound.lane(commit.subscription, commit.lane).await?.map(|lane| lane.checkpoint))
}

/// Compares nothing: every commit is applied.
struct AcceptsAnyVersion;

#[async_trait]
impl CheckpointsTwist for AcceptsAnyVersion {
    async fn commit(&self, sound: Sound<'_, dyn Checkpoints>, mut commit: LaneCommit) -> Result<CommitOutcome> {
        if let Some(checkpoint) = stored(&sound, &commit).await? {
            commit.expected = checkpoint.version;
        }
        sound.commit(commit).await
    }
}

/// Compares the fence alone.
struct ComparesTheFence;

#[async_trait]
impl CheckpointsTwist for ComparesTheFence {
    async fn commit(&self, sound: Sound<'_, dyn Checkpoints>, mut commit: LaneCommit) -> Result<CommitOutcome> {
        let version = stored(&sound, &commit).await?.map(|checkpoint| checkpoint.version);
        if let Some(version) = version.filter(|version| version.fence == commit.expected.fence) {
            commit.expected = version;
        }
        sound.commit(commit).await
    }
}

/// Refuses a commit that was applied before.
struct KnowsNoRepeats;

#[async_trait]
impl CheckpointsTwist for KnowsNoRepeats {
    async fn commit(&self, sound: Sound<'_, dyn Checkpoints>, commit: LaneCommit) -> Result<CommitOutcome> {
        match stored(&sound, &commit).await? {
            Some(checkpoint) if checkpoint.version != commit.expected => {
                Ok(CommitOutcome::Fenced(Some(checkpoint.version)))
            }
            _ => sound.commit(commit).await,
        }
    }
}

/// Takes a commit for a repeat by its version alone.
struct KnowsRepeatsByVersion;

#[async_trait]
impl CheckpointsTwist for KnowsRepeatsByVersion {
    async fn commit(&self, sound: Sound<'_, dyn Checkpoints>, commit: LaneCommit) -> Result<CommitOutcome> {
        match stored(&sound, &commit).await? {
            Some(checkpoint) if checkpoint.version == commit.checkpoint.version => Ok(CommitOutcome::Done),
            _ => sound.commit(commit).await,
        }
    }
}

/// Takes a commit for a repeat however long ago it was applied.
#[derive(Default)]
struct KnowsOldRepeats(Mutex<HashMap<(SubscriptionId, LaneId, Version), u64>>);

#[async_trait]
impl CheckpointsTwist for KnowsOldRepeats {
    async fn commit(&self, sound: Sound<'_, dyn Checkpoints>, commit: LaneCommit) -> Result<CommitOutcome> {
        let key = (commit.subscription, commit.lane, commit.checkpoint.version);
        let written_by = commit.checkpoint.written_by;
        if lock(&self.0).get(&key) == Some(&written_by) {
            return Ok(CommitOutcome::Done);
        }
        let outcome = sound.commit(commit).await?;
        if outcome == CommitOutcome::Done {
            lock(&self.0).insert(key, written_by);
        }
        Ok(outcome)
    }
}

/// Writes holds before it compares the version: those of a refused commit stay.
#[derive(Default)]
struct WritesHoldsFirst(Mutex<HashMap<(SubscriptionId, LaneId), LaneCommit>>);

#[async_trait]
impl CheckpointsTwist for WritesHoldsFirst {
    async fn commit(&self, sound: Sound<'_, dyn Checkpoints>, commit: LaneCommit) -> Result<CommitOutcome> {
        let refused = commit.clone();
        let outcome = sound.commit(commit).await?;
        if outcome != CommitOutcome::Done {
            lock(&self.0).insert((refused.subscription, refused.lane), refused);
        }
        Ok(outcome)
    }

    async fn lane(
        &self,
        sound: Sound<'_, dyn Checkpoints>,
        id: SubscriptionId,
        lane: LaneId,
    ) -> Result<Option<LaneRecord>> {
        let mut stored = sound.lane(id, lane).await?;
        if let (Some(stored), Some(refused)) = (&mut stored, lock(&self.0).get(&(id, lane))) {
            stored.holds.retain(|hold| refused.holds.iter().all(|written| written.key != hold.key));
            stored.holds.extend(refused.holds.iter().cloned());
        }
        Ok(stored)
    }
}

/// Shows the lane that was committed last, whichever is asked for.
#[derive(Default)]
struct MixesLanes(Mutex<Option<(SubscriptionId, LaneId)>>);

#[async_trait]
impl CheckpointsTwist for MixesLanes {
    async fn commit(&self, sound: Sound<'_, dyn Checkpoints>, commit: LaneCommit) -> Result<CommitOutcome> {
        *lock(&self.0) = Some((commit.subscription, commit.lane));
        sound.commit(commit).await
    }

    async fn lane(
        &self,
        sound: Sound<'_, dyn Checkpoints>,
        id: SubscriptionId,
        lane: LaneId,
    ) -> Result<Option<LaneRecord>> {
        let (id, lane) = lock(&self.0).unwrap_or((id, lane));
        sound.lane(id, lane).await
    }
}

/// Never writes a hold that is there already.
struct WritesHoldsOnce;

#[async_trait]
impl CheckpointsTwist for WritesHoldsOnce {
    async fn commit(&self, sound: Sound<'_, dyn Checkpoints>, mut commit: LaneCommit) -> Result<CommitOutcome> {
        if let Some(lane) = sound.lane(commit.subscription, commit.lane).await? {
            commit.holds.retain(|written| lane.holds.iter().all(|hold| hold.key != written.key));
        }
        sound.commit(commit).await
    }
}

/// Keeps the chunks of a hold that goes, and shows them in the next hold of its key.
#[derive(Default)]
struct KeepsChunks(Mutex<HashMap<(SubscriptionId, LaneId, KeyId), Vec<Seq>>>);

#[async_trait]
impl CheckpointsTwist for KeepsChunks {
    async fn commit(&self, sound: Sound<'_, dyn Checkpoints>, commit: LaneCommit) -> Result<CommitOutcome> {
        let (id, lane) = (commit.subscription, commit.lane);
        let before = sound.lane(id, lane).await?.map(|lane| lane.holds).unwrap_or_default();
        for hold in before.into_iter().filter(|hold| commit.clear || commit.released.contains(&hold.key)) {
            lock(&self.0).insert((id, lane, hold.key), hold.backlog);
        }
        sound.commit(commit).await
    }

    async fn lane(
        &self,
        sound: Sound<'_, dyn Checkpoints>,
        id: SubscriptionId,
        lane: LaneId,
    ) -> Result<Option<LaneRecord>> {
        let mut stored = sound.lane(id, lane).await?;
        for hold in stored.iter_mut().flat_map(|stored| &mut stored.holds) {
            if let Some(kept) = lock(&self.0).get(&(id, lane, hold.key)) {
                hold.backlog.extend(kept);
                hold.backlog.sort_unstable();
                hold.backlog.dedup();
            }
        }
        Ok(stored)
    }
}

pub(super) const ALL: &[Double] = &[
    Double {
        fault: "forgets which event runs alone",
        noticed_by: &["a_checkpoint_comes_back_as_it_was_committed"],
        twist: || Twist::checkpoints(Stores(|commit| commit.checkpoint.handed = None)),
    },
    Double {
        fault: "keeps 53 bits of the number that a commit is known by",
        noticed_by: &["a_checkpoint_comes_back_as_it_was_committed"],
        twist: || Twist::checkpoints(Stores(|commit| commit.checkpoint.written_by &= (1 << 53) - 1)),
    },
    Double {
        fault: "forgets a hold",
        noticed_by: &[
            "a_commit_is_stored_whole",
            "holds_come_back_as_they_were_written",
            "random_commits_leave_what_the_reference_leaves",
        ],
        twist: || {
            Twist::checkpoints(Stores(|commit| {
                let forgotten = commit.holds.pop().map(|hold| hold.key);
                commit.chunks.retain(|(key, _)| Some(*key) != forgotten);
            }))
        },
    },
    Double {
        fault: "forgets a chunk",
        noticed_by: &[
            "a_commit_is_stored_whole",
            "the_backlog_of_a_hold_grows_by_chunks_and_loses_what_is_done",
            "a_hold_remembers_a_hundred_thousand_events",
            "random_commits_leave_what_the_reference_leaves",
        ],
        twist: || Twist::checkpoints(Stores(|commit| drop(commit.chunks.pop()))),
    },
    Double {
        fault: "forgets tenant holds",
        noticed_by: &["a_commit_is_stored_whole", "tenant_holds_come_back_change_and_go"],
        twist: || Twist::checkpoints(Stores(|commit| commit.turns.clear())),
    },
    Double {
        fault: "never removes a hold",
        noticed_by: &["a_hold_is_rewritten_and_removed"],
        twist: || Twist::checkpoints(Stores(|commit| commit.released.clear())),
    },
    Double {
        fault: "never rewrites a hold",
        noticed_by: &["a_hold_is_rewritten_and_removed", "random_commits_leave_what_the_reference_leaves"],
        twist: || Twist::checkpoints(WritesHoldsOnce),
    },
    Double {
        fault: "keeps the chunks of a hold that is gone",
        noticed_by: &["a_hold_made_anew_has_no_backlog", "a_seek_clears_what_is_held_and_keeps_the_dead_letters"],
        twist: || Twist::checkpoints(KeepsChunks::default()),
    },
    Double {
        fault: "clears nothing on a seek",
        noticed_by: &["a_seek_clears_what_is_held_and_keeps_the_dead_letters"],
        twist: || Twist::checkpoints(Stores(|commit| commit.clear = false)),
    },
    Double {
        fault: "never strikes a request off",
        noticed_by: &["a_request_is_struck_off_by_the_commit_that_carries_it_out", "a_commit_is_stored_whole"],
        twist: || Twist::checkpoints(Stores(|commit| commit.requests.clear())),
    },
    Double {
        fault: "accepts a stale version",
        noticed_by: &[
            "a_commit_from_another_version_is_refused_whole",
            "a_repeat_that_comes_too_late_is_refused",
            "another_commit_to_the_same_version_is_refused",
            "who_lost_the_lane_is_refused",
            "of_many_who_take_a_lane_at_once_one_gets_it",
            "of_many_commits_at_once_one_is_done",
        ],
        twist: || Twist::checkpoints(AcceptsAnyVersion),
    },
    Double {
        fault: "compares the fence and not the count",
        noticed_by: &["a_commit_from_another_version_is_refused_whole", "of_many_commits_at_once_one_is_done"],
        twist: || Twist::checkpoints(ComparesTheFence),
    },
    Double {
        fault: "does not recognise a repeated commit",
        noticed_by: &[
            "a_repeated_commit_is_recognised_and_changes_nothing",
            "random_commits_leave_what_the_reference_leaves",
        ],
        twist: || Twist::checkpoints(KnowsNoRepeats),
    },
    Double {
        fault: "takes another's commit for a repeat",
        noticed_by: &["another_commit_to_the_same_version_is_refused", "of_many_commits_at_once_one_is_done"],
        twist: || Twist::checkpoints(KnowsRepeatsByVersion),
    },
    Double {
        fault: "answers done to a repeat that comes too late",
        noticed_by: &["a_repeat_that_comes_too_late_is_refused"],
        twist: || Twist::checkpoints(KnowsOldRepeats::default()),
    },
    Double {
        fault: "writes the holds of a commit that it refuses",
        noticed_by: &[
            "a_commit_from_another_version_is_refused_whole",
            "another_commit_to_the_same_version_is_refused",
        ],
        twist: || Twist::checkpoints(WritesHoldsFirst::default()),
    },
    Double {
        fault: "mixes up lanes",
        noticed_by: &["a_commit_changes_no_other_lane_or_subscription"],
        twist: || Twist::checkpoints(MixesLanes::default()),
    },
    Double {
        fault: "forgets dead letters",
        noticed_by: &["dead_letters_come_back_as_they_were_written", "a_commit_is_stored_whole"],
        twist: || Twist::checkpoints(Stores(|commit| commit.dead.clear())),
    },
    Double {
        fault: "keeps dead letters that are buried",
        noticed_by: &["a_buried_dead_letter_is_gone", "random_commits_leave_what_the_reference_leaves"],
        twist: || Twist::checkpoints(Stores(|commit| commit.buried.clear())),
    },
    Double {
        fault: "buries a dead letter that dies again and writes a new one",
        noticed_by: &["one_that_dies_again_keeps_its_id_and_its_edit"],
        twist: || {
            Twist::checkpoints(Stores(|commit| commit.buried.extend(commit.dead.iter().map(|letter| letter.entry.seq))))
        },
    },
];
