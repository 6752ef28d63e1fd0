//! What a PostgreSQL store tells of its server and of what holds it up.

#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, reason = "a test ends where something is not as expected")]

use std::{sync::Arc, time::Duration};

use busway_backends::postgres::{Config, Postgres};
use busway_core::{Finding, Level, Log, Seam};
use busway_testbed::{pgbouncer::PgBouncer, postgres::Server};
use tokio_postgres::Client;

/// The first half of the advisory locks of the schema `busway`, and the second of the one under which parts are made.
const PARTS_LOCK: &str = "1187437421, -2";

async fn open(url: &str) -> Arc<Postgres> {
    Postgres::open(Config::from_url(url).unwrap(), Seam::system()).await.unwrap()
}

/// What a check found, by its name; each once.
fn found<'a>(findings: &'a [Finding], check: &str) -> &'a Finding {
    let mut of = findings.iter().filter(|finding| finding.check == check);
    let first = of.next().unwrap_or_else(|| panic!("no `{check}` in {findings:?}"));
    assert!(of.next().is_none(), "several `{check}` in {findings:?}");
    first
}

async fn number(client: &Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_store_in_good_health_is_told_of_without_a_warning() {
    let Some(server) = Server::start() else { return };
    let store = open(&server.database().url).await;
    let findings = store.diagnose().await.unwrap();
    let checks: Vec<_> = findings.iter().map(|finding| finding.check).collect();
    let wanted = ["version", "fsync", "synchronous_commit", "notifications", "oldest_transaction", "bloat", "parts"];
    assert_eq!(checks, wanted, "{findings:?}");
    assert!(findings.iter().all(|finding| finding.level == Level::Ok && finding.remedy.is_none()), "{findings:?}");
}

#[tokio::test]
async fn settings_that_put_events_at_risk_are_told_with_the_way_out() {
    let risky = ["fsync", "full_page_writes", "synchronous_commit", "autovacuum"];
    let builder = risky.iter().fold(Server::builder(), |builder, name| builder.setting(name, "off"));
    let Some(server) = builder.start() else { return };
    let store = open(&server.database().url).await;
    let findings = store.diagnose().await.unwrap();
    let levels = risky.map(|name| found(&findings, name).level);
    assert_eq!(levels, [Level::Fail, Level::Fail, Level::Warn, Level::Warn]);
    let commit = found(&findings, "synchronous_commit");
    assert_eq!(commit.detail, "synchronous_commit is off: a crash loses events");
    let remedy = commit.remedy.as_deref().unwrap();
    assert!(remedy.starts_with("ALTER ROLE \"busway\" SET synchronous_commit = on"), "{remedy}");
}

#[tokio::test]
async fn a_table_of_which_most_is_dead_is_named() {
    let Some(server) = Server::builder().setting("autovacuum", "off").start() else { return };
    let database = server.database();
    let (store, client) = (open(&database.url).await, database.client().await);
    let dead =
        "INSERT INTO busway.leases SELECT 'lease ' || n, gen_random_uuid(), 0 FROM generate_series(1, 150000) AS n;
                DELETE FROM busway.leases";
    client.batch_execute(dead).await.unwrap();
    // The server counts them soon after.
    let counted = async {
        while number(&client, "SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'leases'").await < 150_000 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), counted).await.expect("dead rows are not counted");
    let findings = store.diagnose().await.unwrap();
    let bloat = found(&findings, "bloat");
    assert_eq!((bloat.level, bloat.subject.as_deref()), (Level::Warn, Some("busway.leases")));
    assert!(bloat.detail.contains("150000 dead rows"), "{}", bloat.detail);
}

#[tokio::test]
async fn the_oldest_transaction_is_told_with_whose_it_is() {
    let Some(server) = Server::start() else { return };
    let database = server.database();
    let (store, holder) = (open(&database.url).await, database.client().await);
    holder.batch_execute("SET application_name = 'shop'; BEGIN; SELECT pg_current_xact_id()").await.unwrap();
    let pid = holder.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get::<_, i32>(0);
    let findings = store.diagnose().await.unwrap();
    let detail = &found(&findings, "oldest_transaction").detail;
    assert!(detail.ends_with(&format!("of session {pid} (idle in transaction, shop, busway)")), "{detail}");
    holder.batch_execute("COMMIT").await.unwrap();
    let findings = store.diagnose().await.unwrap();
    assert!(!found(&findings, "oldest_transaction").detail.contains(&pid.to_string()));
}

#[tokio::test]
async fn behind_a_pooler_in_transaction_mode_notifications_need_an_address_past_it() {
    let Some(server) = Server::start() else { return };
    let Some(pooler) = PgBouncer::start(&server) else { return };
    let database = server.database();
    let pooled = pooler.url(&database);
    let findings = open(&pooled).await.diagnose().await.unwrap();
    let notifications = found(&findings, "notifications");
    assert_eq!(notifications.level, Level::Warn, "{notifications:?}");
    assert!(notifications.detail.contains("behind a pooler") && notifications.detail.contains("polled"));
    let direct = server.url("").trim_end_matches('/').rsplit_once('@').unwrap().1.to_owned();
    let findings = open(&format!("{pooled}?listen={direct}")).await.diagnose().await.unwrap();
    let notifications = found(&findings, "notifications");
    assert_eq!(notifications.level, Level::Ok, "{notifications:?}");
    assert!(notifications.detail.contains(&direct), "{}", notifications.detail);
    let findings = open(&format!("{pooled}?listen=off")).await.diagnose().await.unwrap();
    assert!(found(&findings, "notifications").detail.contains("off, as configured"));
}

#[tokio::test]
async fn a_part_that_is_not_ready_is_a_warning_and_one_that_is_gone_a_failure() {
    let Some(server) = Server::start() else { return };
    let database = server.database();
    let (store, client) = (open(&database.url).await, database.client().await);
    // Nobody makes a part meanwhile.
    client.batch_execute(&format!("SELECT pg_advisory_lock({PARTS_LOCK})")).await.unwrap();
    let drop = "DROP TABLE busway.domain_events_2; DELETE FROM busway.parts WHERE number = 2";
    client.batch_execute(drop).await.unwrap();
    let findings = store.diagnose().await.unwrap();
    let parts = found(&findings, "parts");
    assert_eq!((parts.level, parts.subject.as_deref()), (Level::Warn, Some("busway.domain_events_2")));
    client
        .batch_execute(&format!("SELECT pg_advisory_unlock({PARTS_LOCK}), busway.tend_parts(1 << 30)"))
        .await
        .unwrap();
    assert_eq!(found(&store.diagnose().await.unwrap(), "parts").level, Level::Ok);
    client.batch_execute("DROP TABLE busway.domain_events_1 CASCADE").await.unwrap();
    let findings = store.diagnose().await.unwrap();
    let parts = found(&findings, "parts");
    assert_eq!((parts.level, parts.subject.as_deref()), (Level::Fail, Some("busway.domain_events_1")));
}
