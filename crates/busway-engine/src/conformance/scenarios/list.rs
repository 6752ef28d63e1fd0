use std::{future::Future, sync::Arc, time::Duration};

use busway_core::conformance::{Backend, Failed, Outcome};
use futures::future::LocalBoxFuture;

use super::{
    control, dead_letters, definitions, endurance, fairness, leaving, matching, material::full, order, publishing,
    pulling, quiet::Quiet, replays, retention, retries, sharing, stage::Stage, takeover, tenants,
};

/// Longer than any scenario takes by the clock on the wall; one that hangs fails instead.
const LIMIT: Duration = Duration::from_secs(600);
/// The same at full size.
const FULL_LIMIT: Duration = Duration::from_secs(1_800);

/// One promise of the engine on a backend, and how it is proved.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Its name, a sentence.
    pub name: &'static str,
    /// What it is about.
    pub part: &'static str,
    run: for<'a> fn(&'a Stage) -> LocalBoxFuture<'a, Outcome>,
}

/// Names every scenario once; all else that has to know them is made from this list.
#[doc(hidden)]
#[macro_export]
macro_rules! __engine_scenarios {
    ([$($then:tt)+] $args:tt) => {
        $($then)+! { $args
            publishing {
                a_duplicate_is_delivered_once
                an_event_that_two_members_publish_at_once_is_delivered_once
                a_batch_is_published_whole_or_not_at_all
                what_is_delivered_is_what_was_published
                publishers_wait_while_too_much_waits_to_be_stored
                a_publisher_who_goes_away_leaves_others_theirs
            }
            sharing {
                two_subscriptions_each_get_everything
                a_subscription_whose_handler_fails_takes_nothing_from_others
                members_share_a_subscription_and_hold_no_event_at_once
                lanes_move_by_release_when_members_come_and_go
            }
            matching {
                patterns_choose_what_is_delivered
                a_type_first_seen_later_is_delivered
                a_subscription_made_before_its_first_event_misses_none
                a_subscription_starts_at_the_earliest_the_latest_or_a_time
            }
            order {
                keys_keep_their_order_with_one_member
                keys_keep_their_order_with_four_members
                keys_keep_their_order_with_sixteen_members
                without_faults_nothing_is_repeated_and_no_key_overlaps
                events_without_a_key_run_side_by_side
                order_by_type_runs_one_of_a_type_and_tenant_at_a_time
                no_order_lets_events_of_a_key_run_side_by_side
            }
            retries {
                delays_between_attempts_follow_the_policy
                jitter_only_takes_away
                a_handler_may_choose_its_delay
                attempts_survive_a_restart
                what_was_settled_is_not_delivered_again_after_a_restart
                the_last_failure_goes_to_the_dead_letters_with_all_that_is_known
                a_panic_is_a_failure_and_takes_nothing_with_it
                a_run_that_takes_too_long_is_given_up
                a_run_that_asks_for_more_time_gets_it
            }
            dead_letters {
                a_retried_dead_letter_runs_once_and_goes_when_acknowledged
                an_edited_dead_letter_is_delivered_as_edited
                a_discarded_dead_letter_is_gone_and_runs_no_more
                a_dead_letter_of_a_pull_subscription_is_retried_edited_and_discarded
                after_a_dead_letter_a_key_goes_on
                a_blocked_key_waits_and_goes_on_once_its_dead_letter_is_acknowledged
                a_blocked_key_goes_on_once_its_dead_letter_is_discarded
                many_dead_letters_are_retried_also_when_their_member_is_gone
                many_dead_letters_are_discarded
                a_dead_letter_whose_subscription_is_gone_holds_up_no_other
                an_entry_that_cannot_be_decoded_is_dead_lettered_once_and_the_stream_goes_on
            }
            definitions {
                another_definition_under_the_same_name_is_refused
                of_two_who_make_a_subscription_at_once_one_makes_it
                an_update_takes_effect_at_one_point
                an_update_of_a_pull_subscription_takes_effect_at_one_point
                an_update_of_the_policy_reaches_what_is_held
                a_member_without_a_handler_for_a_type_gives_the_lane_back
                a_second_handler_in_one_process_is_refused
            }
            pulling {
                what_is_pulled_here_may_be_settled_there_once_and_in_time
                nothing_is_leased_twice_by_many_who_pull_at_once
                a_key_is_pulled_in_order_and_by_one_at_a_time
                an_expired_lease_counts_an_attempt_of_its_first_event_alone
                a_lease_is_extended
                a_failed_pull_is_retried_by_the_policy_and_dead_at_last
                a_delivery_named_twice_is_refused_and_nothing_applied
                a_pull_that_waits_is_woken_by_an_event_and_by_a_delay
            }
            control {
                a_paused_subscription_stands_still_until_it_is_resumed
                a_paused_subscription_hands_nothing_to_pullers
                a_seek_is_carried_out_once_and_lets_go_of_what_is_held
                a_seek_of_a_pull_subscription_makes_leases_stale
                a_removed_subscription_is_gone_also_while_it_is_busy
                dead_letters_outlive_their_subscription_if_asked
            }
            replays {
                a_replay_reaches_one_subscription_and_touches_no_other
                a_replay_goes_on_when_its_member_is_gone
                a_replay_goes_from_one_time_to_another_and_may_name_types
                a_cancelled_replay_ends
                a_replay_is_pulled_like_live_events_and_marked
            }
            tenants {
                a_tenant_sees_nothing_of_another
                a_tenant_that_reads_the_past_sees_its_own_alone
                one_id_and_one_key_of_two_tenants_are_two_events_and_two_keys
            }
            retention {
                retention_never_removes_what_a_subscription_has_not_read
                what_is_younger_than_the_retention_is_kept
                a_dead_letter_outlives_its_event_and_can_still_be_retried
                a_tail_shows_what_comes_and_pins_nothing
                a_subscription_that_stands_unread_expires_if_told_to
            }
            fairness {
                an_event_of_one_tenant_is_soon_handled_behind_many_of_another
                tenants_take_turns_also_after_a_restart
                what_a_tenant_has_too_much_of_arrives_in_order_and_once
            }
            endurance {
                a_failing_key_with_many_siblings_delays_no_other_and_keeps_its_order
                an_event_that_takes_ten_minutes_pins_nothing
                when_everything_fails_the_breaker_opens_and_writes_stay_bounded
                a_lane_with_too_many_holds_says_so_and_goes_on_when_they_are_over
                an_idle_engine_asks_its_store_for_little
                who_only_publishes_asks_for_no_ends
                whoever_hears_of_events_all_the_time_looks_at_the_log_itself_too
                what_nobody_wants_costs_few_commits
            }
            takeover {
                a_killed_members_lanes_are_taken_over_within_two_leases
                a_member_that_stood_still_past_its_lease_overwrites_nothing
                a_member_that_stood_still_while_idle_takes_its_lanes_anew
                an_event_that_kills_its_process_is_dead_after_its_attempts
                a_killed_member_charges_no_event_that_it_ran_beside_others
            }
            leaving {
                who_leaves_finishes_what_runs
                who_leaves_hands_back_what_does_not_end_in_time
                who_leaves_stores_what_was_published_before
            }
        }
    };
}

macro_rules! list {
    (() $($part:ident { $($name:ident)* })*) => {
        &[$($(Scenario {
            name: stringify!($name),
            part: stringify!($part),
            run: |stage| Box::pin($part::$name(stage)),
        },)*)*]
    };
}

impl Scenario {
    /// Every scenario.
    pub const ALL: &[Self] = __engine_scenarios! { [list] () };

    /// The scenario of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::ALL.iter().find(|scenario| scenario.name == name)
    }

    /// Plays on a fresh, empty store, on a runtime of its own on the calling thread.
    pub fn run<B: Backend, F: Future<Output = B>>(&self, make: impl FnOnce() -> F) -> Outcome {
        let (runtime, quiet) = Quiet::runtime().map_err(|error| Failed::new(format!("no runtime: {error}")))?;
        runtime.block_on(async {
            let backend: Arc<dyn Backend> = Arc::new(make().await);
            let limit = if full() { FULL_LIMIT } else { LIMIT };
            let play = async {
                let stage = Stage::of(Arc::clone(&backend), quiet).await?;
                (self.run)(&stage).await
            };
            let outcome = match tokio::time::timeout(limit, play).await {
                Ok(outcome) => outcome,
                Err(_) => Err(Failed::new(format!("it did not end within {limit:?}"))),
            };
            backend.remove().await;
            outcome
        })
    }
}
