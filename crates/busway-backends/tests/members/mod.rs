//! Real processes on one store: this test binary starts itself again as members and publishers, kills them, freezes
//! them and judges by what their handlers wrote down. It knows the store by its URL alone; [`member_tests`] gives a
//! backend all of it.

mod catching_up;
mod conduct;
pub(crate) mod diary;
mod figures;
mod frozen;
pub(crate) mod in_flight;
mod killers;
mod kills;
mod leases;
pub(crate) mod process;
pub(crate) mod stage;

pub(crate) use catching_up::*;
pub(crate) use frozen::*;
pub(crate) use in_flight::*;
pub(crate) use killers::*;
pub(crate) use kills::*;
pub(crate) use stage::Place;

/// Every test of members on a backend. `$fresh` is an async function that makes a [`Place`], or returns `None` where
/// its server is missing.
#[macro_export]
macro_rules! member_tests {
    ($fresh:path) => {
        $crate::member_tests! { @each $fresh:
            a_member_killed_at_random_points_loses_nothing
            a_killed_process_with_full_windows_is_caught_up_within_a_minute
            a_handler_that_kills_its_process_is_dead_after_its_attempts
            a_handler_that_kills_its_process_from_a_hold_is_dead_after_its_attempts
            a_process_frozen_past_its_lease_settles_nothing_once_it_wakes
            a_process_killed_with_a_thousand_runs_in_flight_loses_nothing
            a_process_killed_with_a_thousand_runs_in_holds_loses_nothing
        }
    };
    (@each $fresh:path: $($name:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            if let Some(place) = $fresh().await {
                members::$name(&place).await;
            }
        }
    )*};
}
