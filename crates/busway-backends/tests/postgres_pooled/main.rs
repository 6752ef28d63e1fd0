//! PostgreSQL keeps every promise through a pooler that gives each transaction another connection.

#![allow(clippy::unwrap_used, reason = "a server that cannot be used ends its test")]

#[path = "../fresh_schema/mod.rs"]
mod fresh_schema;
mod pooled;

use fresh_schema::FreshSchema;
use pooled::Pooled;

/// A schema whose log is polled, as it is where nothing else is said.
async fn polled(pooled: &Pooled) -> FreshSchema {
    FreshSchema::new(&pooled.durable, 8, "")
}

/// The same for the engine: nothing in its scenarios stops the server, so nothing has to wait for its disk.
async fn quickly_polled(pooled: &Pooled) -> FreshSchema {
    FreshSchema::new(&pooled.quick, 8, "")
}

/// The same, of which notifications are heard past the pooler.
async fn heard(pooled: &Pooled) -> FreshSchema {
    FreshSchema::new(&pooled.quick, 8, &format!("&listen={}", pooled.past))
}

mod backend {
    busway_core::conformance_tests!(super::Pooled::shared => super::polled);
}

mod engine {
    busway_engine::engine_conformance_tests!(super::Pooled::shared => super::heard);
}

/// Scenarios of the engine: of each part some.
mod engine_that_polls {
    macro_rules! scenarios {
        ($($name:ident)*) => {$(
            #[test]
            fn $name() {
                let Some(pooled) = super::Pooled::shared() else { return };
                busway_engine::conformance::test(stringify!($name), || super::quickly_polled(pooled));
            }
        )*};
    }

    scenarios! {
        a_duplicate_is_delivered_once
        an_event_that_two_members_publish_at_once_is_delivered_once
        a_batch_is_published_whole_or_not_at_all
        what_is_delivered_is_what_was_published
        members_share_a_subscription_and_hold_no_event_at_once
        lanes_move_by_release_when_members_come_and_go
        a_subscription_starts_at_the_earliest_the_latest_or_a_time
        keys_keep_their_order_with_four_members
        without_faults_nothing_is_repeated_and_no_key_overlaps
        delays_between_attempts_follow_the_policy
        what_was_settled_is_not_delivered_again_after_a_restart
        the_last_failure_goes_to_the_dead_letters_with_all_that_is_known
        a_retried_dead_letter_runs_once_and_goes_when_acknowledged
        a_blocked_key_goes_on_once_its_dead_letter_is_discarded
        of_two_who_make_a_subscription_at_once_one_makes_it
        an_update_takes_effect_at_one_point
        what_is_pulled_here_may_be_settled_there_once_and_in_time
        nothing_is_leased_twice_by_many_who_pull_at_once
        an_expired_lease_counts_an_attempt_of_its_first_event_alone
        a_pull_that_waits_is_woken_by_an_event_and_by_a_delay
        a_seek_is_carried_out_once_and_lets_go_of_what_is_held
        a_removed_subscription_is_gone_also_while_it_is_busy
        a_replay_reaches_one_subscription_and_touches_no_other
        a_tenant_sees_nothing_of_another
        a_killed_members_lanes_are_taken_over_within_two_leases
        a_member_that_stood_still_past_its_lease_overwrites_nothing
        an_event_that_kills_its_process_is_dead_after_its_attempts
        who_leaves_hands_back_what_does_not_end_in_time
    }
}
