use std::{
    collections::HashSet,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use busway_core::{
    Checkpoints, CommitOutcome, LaneCommit, LaneId, LaneRecord, Result, SubscriptionId,
    conformance::doubles::{CheckpointsTwist, Double, Sound, Twist},
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

/// Says that every fifth commit is done, and stores its version alone.
#[derive(Default)]
struct SkipsCommits(AtomicU64);

#[async_trait]
impl CheckpointsTwist for SkipsCommits {
    async fn commit(&self, sound: Sound<'_, dyn Checkpoints>, commit: LaneCommit) -> Result<CommitOutcome> {
        if self.0.fetch_add(1, Ordering::Relaxed) % 5 != 4 {
            return sound.commit(commit).await;
        }
        let Some(stored) = sound.lane(commit.subscription, commit.lane).await? else {
            return Ok(CommitOutcome::Fenced(None));
        };
        let mut checkpoint = stored.checkpoint;
        checkpoint.version = commit.checkpoint.version;
        checkpoint.written_by = commit.checkpoint.written_by;
        checkpoint.holder = commit.checkpoint.holder;
        checkpoint.released = commit.checkpoint.released;
        sound.commit(LaneCommit::new(commit.subscription, commit.lane, commit.expected, checkpoint)).await
    }
}

/// Says that a commit is done, and stores nothing of it.
#[derive(Default)]
struct StoresNothing(AtomicU64);

#[async_trait]
impl CheckpointsTwist for StoresNothing {
    async fn commit(&self, sound: Sound<'_, dyn Checkpoints>, commit: LaneCommit) -> Result<CommitOutcome> {
        if self.0.fetch_add(1, Ordering::Relaxed) % 7 == 6 {
            return Ok(CommitOutcome::Done);
        }
        sound.commit(commit).await
    }
}

/// Compares nothing: every commit is applied.
struct AcceptsAnyVersion;

#[async_trait]
impl CheckpointsTwist for AcceptsAnyVersion {
    async fn commit(&self, sound: Sound<'_, dyn Checkpoints>, mut commit: LaneCommit) -> Result<CommitOutcome> {
        if let Some(stored) = sound.lane(commit.subscription, commit.lane).await? {
            commit.expected = stored.checkpoint.version;
        }
        sound.commit(commit).await
    }
}

/// Says that a lane was given back although nobody did.
struct SeesEveryLaneReleased;

#[async_trait]
impl CheckpointsTwist for SeesEveryLaneReleased {
    async fn lane(
        &self,
        sound: Sound<'_, dyn Checkpoints>,
        id: SubscriptionId,
        lane: LaneId,
    ) -> Result<Option<LaneRecord>> {
        let mut stored = sound.lane(id, lane).await?;
        if let Some(stored) = &mut stored {
            stored.checkpoint.released = true;
        }
        Ok(stored)
    }
}

/// Shows a lane's holds only once.
#[derive(Default)]
struct ShowsHoldsOnce(Mutex<HashSet<(SubscriptionId, LaneId)>>);

#[async_trait]
impl CheckpointsTwist for ShowsHoldsOnce {
    async fn lane(
        &self,
        sound: Sound<'_, dyn Checkpoints>,
        id: SubscriptionId,
        lane: LaneId,
    ) -> Result<Option<LaneRecord>> {
        let mut stored = sound.lane(id, lane).await?;
        let mut shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stored) = stored.as_mut().filter(|stored| !stored.holds.is_empty() && !shown.insert((id, lane))) {
            stored.holds.clear();
        }
        drop(shown);
        Ok(stored)
    }
}

pub(super) const ALL: &[Double] = &[
    Double {
        fault: "says that a commit is done and keeps its version alone",
        noticed_by: &[
            "what_was_settled_is_not_delivered_again_after_a_restart",
            "nothing_is_leased_twice_by_many_who_pull_at_once",
        ],
        twist: || Twist::checkpoints(SkipsCommits::default()),
    },
    Double {
        fault: "says that a commit is done and stores nothing",
        noticed_by: &["without_faults_nothing_is_repeated_and_no_key_overlaps"],
        twist: || Twist::checkpoints(StoresNothing::default()),
    },
    Double {
        fault: "never moves a position",
        noticed_by: &["a_duplicate_is_delivered_once", "what_was_settled_is_not_delivered_again_after_a_restart"],
        twist: || Twist::checkpoints(Stores(|commit| commit.checkpoint.position = 0)),
    },
    Double {
        fault: "moves a position too far",
        noticed_by: &[
            "keys_keep_their_order_with_four_members",
            "an_event_that_kills_its_process_is_dead_after_its_attempts",
        ],
        twist: || Twist::checkpoints(Stores(|commit| commit.checkpoint.position += 3)),
    },
    Double {
        fault: "forgets holds",
        noticed_by: &[
            "attempts_survive_a_restart",
            "what_is_pulled_here_may_be_settled_there_once_and_in_time",
            "a_blocked_key_goes_on_once_its_dead_letter_is_discarded",
        ],
        twist: || {
            Twist::checkpoints(Stores(|commit| {
                commit.holds.clear();
                commit.chunks.clear();
            }))
        },
    },
    Double {
        fault: "never removes a hold",
        noticed_by: &["attempts_survive_a_restart", "a_key_is_pulled_in_order_and_by_one_at_a_time"],
        twist: || Twist::checkpoints(Stores(|commit| commit.released.clear())),
    },
    Double {
        fault: "forgets what waits behind a hold",
        noticed_by: &["a_failing_key_with_many_siblings_delays_no_other_and_keeps_its_order"],
        twist: || Twist::checkpoints(Stores(|commit| commit.chunks.clear())),
    },
    Double {
        fault: "shows holds to the first who asks alone",
        noticed_by: &["attempts_survive_a_restart"],
        twist: || Twist::checkpoints(ShowsHoldsOnce::default()),
    },
    Double {
        fault: "forgets how often an event was tried",
        noticed_by: &["attempts_survive_a_restart", "an_expired_lease_counts_an_attempt_of_its_first_event_alone"],
        twist: || {
            Twist::checkpoints(Stores(|commit| {
                commit.holds.iter_mut().for_each(|hold| hold.attempt = hold.attempt.min(1))
            }))
        },
    },
    Double {
        fault: "forgets when a hold is due",
        noticed_by: &["attempts_survive_a_restart"],
        twist: || {
            Twist::checkpoints(Stores(|commit| commit.holds.iter_mut().for_each(|hold| hold.due = Default::default())))
        },
    },
    Double {
        fault: "forgets tenants that are held",
        noticed_by: &["tenants_take_turns_also_after_a_restart"],
        twist: || Twist::checkpoints(Stores(|commit| commit.turns.clear())),
    },
    Double {
        fault: "accepts a stale version",
        noticed_by: &[
            "a_member_that_stood_still_past_its_lease_overwrites_nothing",
            "nothing_is_leased_twice_by_many_who_pull_at_once",
        ],
        twist: || Twist::checkpoints(AcceptsAnyVersion),
    },
    Double {
        fault: "forgets which event runs alone",
        noticed_by: &["an_event_that_kills_its_process_is_dead_after_its_attempts"],
        twist: || Twist::checkpoints(Stores(|commit| commit.checkpoint.handed = None)),
    },
    Double {
        fault: "says that a lost lane was given back",
        noticed_by: &["an_event_that_kills_its_process_is_dead_after_its_attempts"],
        twist: || Twist::checkpoints(SeesEveryLaneReleased),
    },
    Double {
        fault: "clears nothing on a seek",
        noticed_by: &[
            "a_seek_is_carried_out_once_and_lets_go_of_what_is_held",
            "a_seek_of_a_pull_subscription_makes_leases_stale",
        ],
        twist: || Twist::checkpoints(Stores(|commit| commit.clear = false)),
    },
    Double {
        fault: "never strikes a request off",
        noticed_by: &["a_seek_is_carried_out_once_and_lets_go_of_what_is_held"],
        twist: || Twist::checkpoints(Stores(|commit| commit.requests.clear())),
    },
    Double {
        fault: "forgets where a revision begins",
        noticed_by: &[
            "an_update_takes_effect_at_one_point",
            "an_update_of_a_pull_subscription_takes_effect_at_one_point",
        ],
        twist: || {
            Twist::checkpoints(Stores(|commit| {
                commit.checkpoint.segments.iter_mut().for_each(|segment| segment.from = 0)
            }))
        },
    },
    Double {
        fault: "counts no deliveries",
        noticed_by: &["two_subscriptions_each_get_everything"],
        twist: || Twist::checkpoints(Stores(|commit| commit.checkpoint.delivered = 0)),
    },
];
