//! Everything through a pooler that gives each transaction another connection.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering},
};

use busway_backends::postgres::{Config, Postgres, StoredAt};
use busway_core::{Clock, ManualClock, Result, Seam, Stores, SystemClock, SystemRandom, conformance::Backend};
use busway_testbed::{
    pgbouncer::PgBouncer,
    postgres::{Database, Server},
};

/// Scenarios with many members bring many connections.
const SETTINGS: &[(&str, &str)] = &[("max_client_conn", "1000"), ("default_pool_size", "40")];

/// A database and the pooler before it.
struct Pooled {
    database: Database,
    pooler: PgBouncer,
}

#[track_caller]
fn pooled() -> Option<&'static Pooled> {
    static POOLED: OnceLock<Option<Pooled>> = OnceLock::new();
    let server = Server::shared()?;
    let start = || Some(Pooled { pooler: PgBouncer::start_with(server, SETTINGS)?, database: server.database() });
    POOLED.get_or_init(start).as_ref()
}

/// A schema that no other test has; its times come from a clock that is held.
struct FreshSchema {
    url: String,
    clock: Arc<ManualClock>,
}

impl FreshSchema {
    fn new(pooled: &Pooled) -> Self {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let url = pooled.pooler.url(&pooled.database);
        let mark = if url.contains('?') { '&' } else { '?' };
        let url = format!("{url}{mark}schema=s{}&pool=3", MADE.fetch_add(1, Ordering::Relaxed));
        Self { url, clock: Arc::new(ManualClock::new(SystemClock::new().now())) }
    }
}

#[async_trait::async_trait]
impl Backend for FreshSchema {
    async fn open(&self) -> Result<Stores> {
        let mut config = Config::from_url(&self.url)?;
        config.stored_at = StoredAt::Seam;
        let seam = Seam::new(self.clock.clone(), Arc::new(SystemRandom::default()));
        Ok(Postgres::open(config, seam).await?.stores())
    }

    fn clock(&self) -> Option<Arc<ManualClock>> {
        Some(self.clock.clone())
    }
}

mod backend {
    busway_core::conformance_tests!(super::pooled => |pooled| async move { super::FreshSchema::new(pooled) });
}

/// Scenarios of the engine: of each part some. Those that let days pass take too long where every look at the log is a
/// statement through the pooler.
mod engine {
    macro_rules! scenarios {
        ($($name:ident)*) => {$(
            #[test]
            fn $name() {
                let Some(pooled) = super::pooled() else { return };
                busway_engine::conformance::test(stringify!($name), || async { super::FreshSchema::new(pooled) });
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
