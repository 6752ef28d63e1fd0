use async_trait::async_trait;

use super::{
    Double, Twist,
    twist::{CheckpointsTwist, Sound},
};
use crate::{Checkpoints, DeadLetter, DeadLetterQuery, Page, Result};

/// Asks for other dead letters.
struct Asks(fn(&mut DeadLetterQuery));

#[async_trait]
impl CheckpointsTwist for Asks {
    async fn dead_letters(
        &self,
        sound: Sound<'_, dyn Checkpoints>,
        query: &DeadLetterQuery,
    ) -> Result<Page<DeadLetter>> {
        let mut query = query.clone();
        self.0(&mut query);
        sound.dead_letters(&query).await
    }
}

struct EndsEarly;

#[async_trait]
impl CheckpointsTwist for EndsEarly {
    async fn dead_letters(
        &self,
        sound: Sound<'_, dyn Checkpoints>,
        query: &DeadLetterQuery,
    ) -> Result<Page<DeadLetter>> {
        Ok(Page { more: false, ..sound.dead_letters(query).await? })
    }
}

struct DropsAny;

#[async_trait]
impl CheckpointsTwist for DropsAny {
    async fn drop_dead_letter(&self, sound: Sound<'_, dyn Checkpoints>, id: u64) -> Result<bool> {
        Ok(sound.dead_letter(id).await?.is_some() || sound.drop_dead_letter(id).await?)
    }
}

const CHOOSING: &str = "dead_letters_are_chosen_by_each_field_of_a_query";

pub(super) const ALL: &[Double] = &[
    Double {
        fault: "shows a tenant everyone's dead letters",
        noticed_by: &[CHOOSING],
        twist: || Twist::checkpoints(Asks(|query| query.tenant = None)),
    },
    Double {
        fault: "shows an owner everyone's dead letters",
        noticed_by: &[CHOOSING],
        twist: || Twist::checkpoints(Asks(|query| query.owner = None)),
    },
    Double {
        fault: "ignores the type of a dead letter",
        noticed_by: &[CHOOSING],
        twist: || Twist::checkpoints(Asks(|query| query.event_type = None)),
    },
    Double {
        fault: "ignores when a delivery died",
        noticed_by: &[CHOOSING],
        twist: || Twist::checkpoints(Asks(|query| query.before = None)),
    },
    Double {
        fault: "ignores whose dead letters were asked for",
        noticed_by: &[CHOOSING, "dead_letters_come_in_pages"],
        twist: || Twist::checkpoints(Asks(|query| query.subscription = None)),
    },
    Double {
        fault: "starts every page of dead letters at the first",
        noticed_by: &[CHOOSING, "dead_letters_come_in_pages"],
        twist: || Twist::checkpoints(Asks(|query| query.after_id = 0)),
    },
    Double {
        fault: "promises no further page of dead letters",
        noticed_by: &["dead_letters_come_in_pages"],
        twist: || Twist::checkpoints(EndsEarly),
    },
    Double {
        fault: "drops a dead letter under its subscription",
        noticed_by: &["a_dead_letter_is_dropped_only_without_its_subscription"],
        twist: || Twist::checkpoints(DropsAny),
    },
];
