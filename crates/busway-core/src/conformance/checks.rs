use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;

use super::{Backend, Failed, Outcome, checkpoints, log, probe::Probe};
use crate::{Capabilities, Dedupe, ErrorKind, LaneId, ReadRequest, Timestamp};

/// Longer than any check takes; a check that hangs fails instead.
const LIMIT: Duration = Duration::from_secs(300);

/// What a backend must declare for a check to make sense; a backend that lacks it must refuse the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    Nothing,
    Read,
    Dedupe,
    Prune,
}

/// One promise of a backend, and how it is proved.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// Its name, a sentence.
    pub name: &'static str,
    /// Which part of the contract it belongs to, as `log::batches`.
    pub part: &'static str,
    needs: Needs,
    run: for<'a> fn(&'a Probe) -> BoxFuture<'a, Outcome>,
}

/// Names every check once; all else that has to know them is made from this list.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_checks {
    ([$($then:tt)+] $args:tt) => {
        $($then)+! { $args
            log::declared Nothing {
                at_least_what_the_table_says_is_declared
            }
            log::declared Read {
                every_handle_tells_the_same_lanes_and_epoch
            }
            log::round_trip Read {
                ids_of_every_version_come_back
                types_tenants_and_keys_come_back
                times_come_back_to_the_millisecond
                metadata_comes_back
                payloads_from_two_bytes_to_the_largest_come_back
                payloads_of_every_unicode_plane_come_back
                payloads_nested_deeply_come_back
                payloads_with_numbers_at_the_edges_come_back
                payloads_with_escapes_come_back
                whitespace_and_the_order_of_fields_are_kept
                an_empty_batch_stores_nothing
                what_is_stored_is_there_when_the_store_is_opened_again
            }
            log::duplicates Dedupe {
                a_repeat_is_stored_once
                a_repeat_within_one_batch_is_stored_once
                of_a_batch_with_repeats_the_new_ones_are_stored
                a_repeat_with_another_payload_changes_nothing
                one_id_of_two_tenants_is_two_events
                an_event_published_by_many_at_once_is_stored_once
            }
            log::batches Read {
                a_batch_keeps_its_order_within_each_lane
                a_batch_of_the_largest_size_is_stored_whole
                readers_see_a_batch_whole_or_not_at_all
                a_batch_given_up_on_is_stored_whole_or_not_at_all
            }
            log::order Read {
                events_stand_in_the_order_of_their_appends
                no_reader_skips_a_late_commit
            }
            log::reading Read {
                an_empty_lane_gives_nothing
                a_page_ends_at_max_and_the_next_goes_on_from_where_it_looked
                a_page_ends_at_its_bytes_but_has_an_entry
                a_read_looks_no_further_than_until
                looked_tells_how_far_a_filtered_read_came
                backward_reads_come_from_the_end_to_the_start
                fetch_gives_what_is_there_and_leaves_out_the_rest
                heads_tell_where_each_lane_ends
                several_lanes_are_read_on_in_one_go
                a_count_tells_how_many_entries_lie_between
            }
            log::filters Read {
                types_are_chosen_by_patterns
                excluded_types_are_left_out
                a_type_first_seen_later_is_caught_too
                a_tenant_sees_its_own_events_alone
                tenants_may_be_left_out
                tenant_and_types_choose_together
            }
            log::finding Read {
                a_range_of_ids_is_found_in_their_order
                each_tenant_finds_its_own_events_alone
            }
            log::reference Read {
                reads_give_what_a_plain_search_gives
            }
            log::pruning Prune {
                what_is_pruned_is_gone_and_nothing_else
                reading_past_retention_starts_at_what_is_kept_and_heads_tell
                a_lane_pruned_empty_keeps_its_head
                prune_keeps_what_was_stored_at_its_time_or_later
            }
            log::time Read {
                stored_at_never_falls_within_a_lane
                stored_at_is_the_time_of_the_append
                a_time_leads_to_the_first_event_stored_at_it_or_later
            }
            log::waking Nothing {
                an_append_wakes_whoever_waits
            }
            checkpoints::subscriptions Nothing {
                subscriptions_come_back_as_they_were_saved
                a_name_is_given_once_per_owner
                a_replay_takes_no_name
                a_subscription_changes_only_from_its_stored_version
                of_many_who_save_at_once_one_is_not_refused
                a_new_subscription_starts_where_it_is_told
                checkpoints_are_listed_for_all_or_for_one
            }
            checkpoints::removal Nothing {
                a_removed_subscription_leaves_nothing
                dead_letters_stay_if_asked_when_their_subscription_goes
                one_made_later_under_an_old_name_starts_afresh
            }
            checkpoints::commits Nothing {
                a_checkpoint_comes_back_as_it_was_committed
                a_commit_is_stored_whole
                a_repeated_commit_is_recognised_and_changes_nothing
                a_repeat_that_comes_too_late_is_refused
                another_commit_to_the_same_version_is_refused
                a_commit_from_another_version_is_refused_whole
                a_commit_changes_no_other_lane_or_subscription
            }
            checkpoints::takers Nothing {
                who_lost_the_lane_is_refused
                of_many_who_take_a_lane_at_once_one_gets_it
                of_many_commits_at_once_one_is_done
            }
            checkpoints::holds Nothing {
                holds_come_back_as_they_were_written
                a_hold_is_rewritten_and_removed
                the_backlog_of_a_hold_grows_by_chunks_and_loses_what_is_done
                a_hold_made_anew_has_no_backlog
                a_hold_remembers_a_hundred_thousand_events
                tenant_holds_come_back_change_and_go
                a_seek_clears_what_is_held_and_keeps_the_dead_letters
                hold_counts_tell_how_many_and_the_least_seq_needed
            }
            checkpoints::dead_letters Nothing {
                dead_letters_come_back_as_they_were_written
                one_that_dies_again_keeps_its_id_and_its_edit
                dead_letters_are_chosen_by_each_field_of_a_query
                dead_letters_come_in_pages
                a_buried_dead_letter_is_gone
                a_dead_letter_is_dropped_only_without_its_subscription
            }
            checkpoints::requests Nothing {
                requests_come_back_in_the_order_they_were_left
                a_request_is_struck_off_by_the_commit_that_carries_it_out
                a_request_for_what_is_not_there_is_refused
            }
            checkpoints::members Nothing {
                a_pulse_tells_of_every_member
                changes_rise_with_each_save_removal_and_request
            }
            checkpoints::operations Nothing {
                operations_come_back_as_they_were_saved
                an_operation_changes_only_from_its_stored_version
                of_many_who_change_an_operation_at_once_one_is_not_refused
                what_runs_and_the_newest_thousand_that_ended_are_kept
            }
            checkpoints::leases Nothing {
                a_lease_has_one_holder_who_raises_its_counter
                a_lease_that_stood_still_is_taken_and_one_that_moved_is_not
                of_many_who_take_a_lease_at_once_one_gets_it
            }
            checkpoints::reference Nothing {
                random_commits_leave_what_the_reference_leaves
            }
        }
    };
}

macro_rules! list {
    (() $($group:ident::$part:ident $needs:ident { $($name:ident)* })*) => {
        &[$($(Check {
            name: stringify!($name),
            part: concat!(stringify!($group), "::", stringify!($part)),
            needs: Needs::$needs,
            run: |probe| Box::pin($group::$part::$name(probe)),
        },)*)*]
    };
}

impl Check {
    /// Every check, in the order of the contract.
    pub const ALL: &[Self] = __conformance_checks! { [list] () };

    /// The check of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::ALL.iter().find(|check| check.name == name)
    }

    /// Tries a fresh, empty store; where it declares that it cannot do what the check is about, it must refuse.
    pub async fn run(&self, backend: Arc<dyn Backend>) -> Outcome {
        let probe = Probe::of(backend).await?;
        if !self.needs.declared(probe.capabilities()) {
            return self.needs.refused(&probe).await;
        }
        match tokio::time::timeout(LIMIT, (self.run)(&probe)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failed::new(format!("the check did not end within {LIMIT:?}"))),
        }
    }
}

impl Needs {
    fn declared(self, capabilities: &Capabilities) -> bool {
        match self {
            Self::Nothing => true,
            Self::Read => capabilities.read,
            Self::Dedupe => capabilities.read && capabilities.dedupe != Dedupe::None,
            Self::Prune => capabilities.read && capabilities.prune,
        }
    }

    /// Fails unless what is not declared is refused.
    async fn refused(self, probe: &Probe) -> Outcome {
        if !probe.capabilities().read {
            let read = probe.log().read(ReadRequest::after(LaneId(0), 0, 1)).await;
            ensure_eq!(read.map(|_| ()).map_err(|error| error.kind()), Err(ErrorKind::Unsupported), "a read");
            let fetch = probe.log().fetch(LaneId(0), &[1]).await;
            ensure_eq!(fetch.map(|_| ()).map_err(|error| error.kind()), Err(ErrorKind::Unsupported), "a fetch");
        }
        if !probe.capabilities().prune {
            let pruned = probe.log().prune(LaneId(0), 1, Timestamp::MIN).await;
            ensure_eq!(pruned.map_err(|error| error.kind()), Err(ErrorKind::Unsupported), "a prune");
        }
        Ok(())
    }
}
