use std::{collections::HashMap, sync::Mutex};

use async_trait::async_trait;

use super::{
    Double, Twist,
    appends::lock,
    twist::{CheckpointsTwist, Sound},
};
use crate::{
    Checkpoint, Checkpoints, ErrorKind, LaneId, LaneRecord, MemberId, MemberRecord, Owner, Pulse, Request, RequestKind,
    Result, Seq, SubscriptionId, SubscriptionName, SubscriptionRecord,
};

/// Gives a subscription back without the older revisions of its definition.
struct ForgetsRevisions;

#[async_trait]
impl CheckpointsTwist for ForgetsRevisions {
    async fn subscriptions(&self, sound: Sound<'_, dyn Checkpoints>) -> Result<Vec<SubscriptionRecord>> {
        let mut records = sound.subscriptions().await?;
        records.iter_mut().for_each(|record| record.earlier.clear());
        Ok(records)
    }
}

/// Stores each name with its id behind it, so that no name is ever taken.
struct GivesNamesTwice;

#[async_trait]
impl CheckpointsTwist for GivesNamesTwice {
    async fn save_subscription(
        &self,
        sound: Sound<'_, dyn Checkpoints>,
        record: &SubscriptionRecord,
        expected: Option<u64>,
        start: &[Seq],
    ) -> Result<bool> {
        let name = SubscriptionName::from_store(format!("{}/{}", record.name, record.id));
        sound.save_subscription(&SubscriptionRecord { name, ..record.clone() }, expected, start).await
    }

    async fn subscriptions(&self, sound: Sound<'_, dyn Checkpoints>) -> Result<Vec<SubscriptionRecord>> {
        let mut records = sound.subscriptions().await?;
        for record in &mut records {
            let name = record.name.as_str().rsplit_once('/').map(|(name, _)| SubscriptionName::from_store(name));
            record.name = name.unwrap_or_else(|| record.name.clone());
        }
        Ok(records)
    }
}

/// Refuses a name that a replay bears.
struct LetsReplaysTakeNames;

#[async_trait]
impl CheckpointsTwist for LetsReplaysTakeNames {
    async fn save_subscription(
        &self,
        sound: Sound<'_, dyn Checkpoints>,
        record: &SubscriptionRecord,
        expected: Option<u64>,
        start: &[Seq],
    ) -> Result<bool> {
        let stored = sound.subscriptions().await?;
        let taken = stored.iter().any(|stored| stored.name == record.name && stored.owner == record.owner);
        if expected.is_none() && taken { Ok(false) } else { sound.save_subscription(record, expected, start).await }
    }
}

/// Saves a change whatever version is stored.
struct OverwritesSubscriptions;

#[async_trait]
impl CheckpointsTwist for OverwritesSubscriptions {
    async fn save_subscription(
        &self,
        sound: Sound<'_, dyn Checkpoints>,
        record: &SubscriptionRecord,
        expected: Option<u64>,
        start: &[Seq],
    ) -> Result<bool> {
        let stored = sound.subscriptions().await?.into_iter().find(|stored| stored.id == record.id);
        let expected = stored.map(|stored| stored.version).filter(|_| expected.is_some()).or(expected);
        sound.save_subscription(record, expected, start).await
    }
}

/// Starts every lane at 0.
struct StartsAtZero;

#[async_trait]
impl CheckpointsTwist for StartsAtZero {
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

/// Lists all checkpoints whatever is asked for.
struct ListsEverything;

#[async_trait]
impl CheckpointsTwist for ListsEverything {
    async fn checkpoints(
        &self,
        sound: Sound<'_, dyn Checkpoints>,
        _of: Option<SubscriptionId>,
    ) -> Result<Vec<(SubscriptionId, LaneId, Checkpoint)>> {
        sound.checkpoints(None).await
    }
}

/// Removes with another wish about dead letters than was told.
struct Removes(bool);

#[async_trait]
impl CheckpointsTwist for Removes {
    async fn remove_subscription(
        &self,
        sound: Sound<'_, dyn Checkpoints>,
        id: SubscriptionId,
        _keep_dead_letters: bool,
    ) -> Result<bool> {
        sound.remove_subscription(id, self.0).await
    }
}

/// Gives a new subscription the lanes that one of its name had before.
#[derive(Default)]
struct KeepsLanesByName {
    names: Mutex<HashMap<SubscriptionId, (Owner, SubscriptionName)>>,
    removed: Mutex<HashMap<(Owner, SubscriptionName, LaneId), LaneRecord>>,
}

#[async_trait]
impl CheckpointsTwist for KeepsLanesByName {
    async fn save_subscription(
        &self,
        sound: Sound<'_, dyn Checkpoints>,
        record: &SubscriptionRecord,
        expected: Option<u64>,
        start: &[Seq],
    ) -> Result<bool> {
        lock(&self.names).insert(record.id, (record.owner.clone(), record.name.clone()));
        sound.save_subscription(record, expected, start).await
    }

    async fn remove_subscription(
        &self,
        sound: Sound<'_, dyn Checkpoints>,
        id: SubscriptionId,
        keep: bool,
    ) -> Result<bool> {
        let name = lock(&self.names).get(&id).cloned();
        if let (Some((owner, name)), Some(lane)) = (name, sound.lane(id, LaneId(0)).await?) {
            lock(&self.removed).insert((owner, name, LaneId(0)), lane);
        }
        sound.remove_subscription(id, keep).await
    }

    async fn lane(
        &self,
        sound: Sound<'_, dyn Checkpoints>,
        id: SubscriptionId,
        lane: LaneId,
    ) -> Result<Option<LaneRecord>> {
        let stored = sound.lane(id, lane).await?;
        let name = lock(&self.names).get(&id).cloned();
        let before = name.and_then(|(owner, name)| lock(&self.removed).get(&(owner, name, lane)).cloned());
        Ok(stored.map(|stored| before.unwrap_or(stored)))
    }
}

struct ForgetsMembers;

#[async_trait]
impl CheckpointsTwist for ForgetsMembers {
    async fn pulse(&self, sound: Sound<'_, dyn Checkpoints>, member: &MemberRecord) -> Result<Pulse> {
        let pulse = sound.pulse(member).await?;
        Ok(Pulse { members: vec![member.clone()], ..pulse })
    }
}

/// Never forgets a member.
struct KeepsMembers;

#[async_trait]
impl CheckpointsTwist for KeepsMembers {
    async fn remove_member(&self, _sound: Sound<'_, dyn Checkpoints>, _id: MemberId) -> Result<()> {
        Ok(())
    }
}

struct CountsNoChanges;

#[async_trait]
impl CheckpointsTwist for CountsNoChanges {
    async fn pulse(&self, sound: Sound<'_, dyn Checkpoints>, member: &MemberRecord) -> Result<Pulse> {
        Ok(Pulse { changes: 1, ..sound.pulse(member).await? })
    }
}

struct NewestRequestsFirst;

#[async_trait]
impl CheckpointsTwist for NewestRequestsFirst {
    async fn requests(&self, sound: Sound<'_, dyn Checkpoints>) -> Result<Vec<Request>> {
        Ok(sound.requests().await?.into_iter().rev().collect())
    }
}

/// Takes requests for subscriptions that are not there.
struct TakesAnyRequest;

#[async_trait]
impl CheckpointsTwist for TakesAnyRequest {
    async fn request(
        &self,
        sound: Sound<'_, dyn Checkpoints>,
        subscription: SubscriptionId,
        lane: LaneId,
        kind: RequestKind,
    ) -> Result<u64> {
        match sound.request(subscription, lane, kind).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(1),
            answer => answer,
        }
    }
}

pub(super) const ALL: &[Double] = &[
    Double {
        fault: "forgets older revisions of a definition",
        noticed_by: &["subscriptions_come_back_as_they_were_saved"],
        twist: || Twist::checkpoints(ForgetsRevisions),
    },
    Double {
        fault: "gives one name to two subscriptions",
        noticed_by: &[
            "a_name_is_given_once_per_owner",
            "a_replay_takes_no_name",
            "of_many_who_save_at_once_one_is_not_refused",
        ],
        twist: || Twist::checkpoints(GivesNamesTwice),
    },
    Double {
        fault: "lets a replay take a name",
        noticed_by: &["a_replay_takes_no_name"],
        twist: || Twist::checkpoints(LetsReplaysTakeNames),
    },
    Double {
        fault: "saves a subscription over a newer version",
        noticed_by: &[
            "a_subscription_changes_only_from_its_stored_version",
            "of_many_who_save_at_once_one_is_not_refused",
        ],
        twist: || Twist::checkpoints(OverwritesSubscriptions),
    },
    Double {
        fault: "starts every subscription at the beginning",
        noticed_by: &["a_new_subscription_starts_where_it_is_told"],
        twist: || Twist::checkpoints(StartsAtZero),
    },
    Double {
        fault: "lists the checkpoints of all where one is asked for",
        noticed_by: &["checkpoints_are_listed_for_all_or_for_one", "a_removed_subscription_leaves_nothing"],
        twist: || Twist::checkpoints(ListsEverything),
    },
    Double {
        fault: "keeps the dead letters of a removed subscription",
        noticed_by: &["a_removed_subscription_leaves_nothing"],
        twist: || Twist::checkpoints(Removes(true)),
    },
    Double {
        fault: "removes dead letters that were to stay",
        noticed_by: &[
            "dead_letters_stay_if_asked_when_their_subscription_goes",
            "a_dead_letter_is_dropped_only_without_its_subscription",
        ],
        twist: || Twist::checkpoints(Removes(false)),
    },
    Double {
        fault: "takes a subscription for an earlier one of its name",
        noticed_by: &["one_made_later_under_an_old_name_starts_afresh"],
        twist: || Twist::checkpoints(KeepsLanesByName::default()),
    },
    Double {
        fault: "tells a member of nobody else",
        noticed_by: &["a_pulse_tells_of_every_member"],
        twist: || Twist::checkpoints(ForgetsMembers),
    },
    Double {
        fault: "keeps members that are removed",
        noticed_by: &["a_pulse_tells_of_every_member"],
        twist: || Twist::checkpoints(KeepsMembers),
    },
    Double {
        fault: "tells nobody of changes",
        noticed_by: &["changes_rise_with_each_save_removal_and_request"],
        twist: || Twist::checkpoints(CountsNoChanges),
    },
    Double {
        fault: "gives the newest request first",
        noticed_by: &["requests_come_back_in_the_order_they_were_left"],
        twist: || Twist::checkpoints(NewestRequestsFirst),
    },
    Double {
        fault: "takes a request that nobody can carry out",
        noticed_by: &["a_request_for_what_is_not_there_is_refused", "a_removed_subscription_leaves_nothing"],
        twist: || Twist::checkpoints(TakesAnyRequest),
    },
];
