use async_trait::async_trait;
use busway_core::{
    Checkpoints, Control, LaneId, MemberRecord, Pulse, RequestKind, Result, Seq, SubscriptionId, SubscriptionRecord,
    conformance::doubles::{CheckpointsTwist, Double, Sound, Twist},
};

/// Saves another record than was sent.
struct Saves(fn(&mut SubscriptionRecord));

#[async_trait]
impl CheckpointsTwist for Saves {
    async fn save_subscription(
        &self,
        sound: Sound<'_, dyn Checkpoints>,
        record: &SubscriptionRecord,
        expected: Option<u64>,
        start: &[Seq],
    ) -> Result<bool> {
        let mut record = record.clone();
        self.0(&mut record);
        sound.save_subscription(&record, expected, start).await
    }
}

/// Starts every subscription at the beginning.
struct StartsAtTheBeginning;

#[async_trait]
impl CheckpointsTwist for StartsAtTheBeginning {
    async fn save_subscription(
        &self,
        sound: Sound<'_, dyn Checkpoints>,
        record: &SubscriptionRecord,
        expected: Option<u64>,
        start: &[Seq],
    ) -> Result<bool> {
        sound.save_subscription(record, expected, &vec![0; start.len()]).await
    }
}

/// Shows each member to itself alone.
struct HidesMembers;

#[async_trait]
impl CheckpointsTwist for HidesMembers {
    async fn pulse(&self, sound: Sound<'_, dyn Checkpoints>, member: &MemberRecord) -> Result<Pulse> {
        let pulse = sound.pulse(member).await?;
        let members = pulse.members.into_iter().filter(|other| other.id == member.id).collect();
        Ok(Pulse { members, ..pulse })
    }
}

/// Takes requests, and forgets them.
struct ForgetsRequests;

#[async_trait]
impl CheckpointsTwist for ForgetsRequests {
    async fn request(
        &self,
        _sound: Sound<'_, dyn Checkpoints>,
        _subscription: SubscriptionId,
        _lane: LaneId,
        _kind: RequestKind,
    ) -> Result<u64> {
        Ok(1)
    }
}

/// Says that a subscription is removed, and keeps it.
struct RemovesNothing;

#[async_trait]
impl CheckpointsTwist for RemovesNothing {
    async fn remove_subscription(
        &self,
        _sound: Sound<'_, dyn Checkpoints>,
        _id: SubscriptionId,
        _keep: bool,
    ) -> Result<bool> {
        Ok(true)
    }
}

/// Says that no hold needs anything.
struct NeedsNothing;

#[async_trait]
impl CheckpointsTwist for NeedsNothing {
    async fn hold_counts(
        &self,
        sound: Sound<'_, dyn Checkpoints>,
        id: SubscriptionId,
    ) -> Result<Vec<(LaneId, u64, Seq)>> {
        let counts = sound.hold_counts(id).await?;
        Ok(counts.into_iter().map(|(lane, held, _)| (lane, held, Seq::MAX)).collect())
    }
}

pub(super) const ALL: &[Double] = &[
    Double {
        fault: "never pauses",
        noticed_by: &[
            "a_paused_subscription_stands_still_until_it_is_resumed",
            "a_paused_subscription_hands_nothing_to_pullers",
        ],
        twist: || Twist::checkpoints(Saves(|record| record.control = Control::Running)),
    },
    Double {
        fault: "forgets earlier definitions",
        noticed_by: &[
            "an_update_takes_effect_at_one_point",
            "an_update_of_a_pull_subscription_takes_effect_at_one_point",
        ],
        twist: || Twist::checkpoints(Saves(|record| record.earlier.clear())),
    },
    Double {
        fault: "starts every subscription at the beginning",
        noticed_by: &[
            "a_subscription_starts_at_the_earliest_the_latest_or_a_time",
            "a_replay_goes_from_one_time_to_another_and_may_name_types",
        ],
        twist: || Twist::checkpoints(StartsAtTheBeginning),
    },
    Double {
        fault: "shows each member to itself alone",
        noticed_by: &["members_share_a_subscription_and_hold_no_event_at_once"],
        twist: || Twist::checkpoints(HidesMembers),
    },
    Double {
        fault: "forgets requests",
        noticed_by: &[
            "a_retried_dead_letter_runs_once_and_goes_when_acknowledged",
            "a_seek_of_a_pull_subscription_makes_leases_stale",
        ],
        twist: || Twist::checkpoints(ForgetsRequests),
    },
    Double {
        fault: "removes no subscription",
        noticed_by: &["a_removed_subscription_is_gone_also_while_it_is_busy"],
        twist: || Twist::checkpoints(RemovesNothing),
    },
    Double {
        fault: "says that holds need nothing",
        noticed_by: &["retention_never_removes_what_a_subscription_has_not_read"],
        twist: || Twist::checkpoints(NeedsNothing),
    },
];
