//! What a PostgreSQL store tells of its server and of what holds it up.

#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, reason = "a test ends where something is not as expected")]

use std::{sync::Arc, time::Duration};

use busway_backends::postgres::{Config, Postgres};
use busway_core::{Finding, Level, Log, Seam};
use busway_engine::{Config as EngineConfig, Engine};
use busway_testbed::{pgbouncer::PgBouncer, postgres::Server};
use tokio_postgres::Client;

/// The first half of the advisory locks of the schema `busway`, and the second of the one under which parts are made.
const PARTS_LOCK: &str = "1187437421, -2";

/// Against hanging.
const LIMIT: Duration = Duration::from_secs(60);

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

/// Waits until something is so.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(LIMIT, waiting).await.is_ok(), "not within {LIMIT:?}: {what}");
}

#[tokio::test]
async fn a_store_in_good_health_is_told_of_without_a_warning() {
    let Some(server) = Server::start() else { return };
    let store = open(&server.database().url).await;
    let findings = store.diagnose().await.unwrap();
    let checks: Vec<_> = findings.iter().map(|finding| finding.check).collect();
    let settings = ["version", "fsync", "synchronous_commit", "notifications", "statements"];
    let state = ["oldest_transaction", "bloat", "parts", "outbox"];
    assert_eq!(checks, [&settings[..], &state].concat(), "{findings:?}");
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
    let counted = "SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'leases'";
    // The server does so soon after.
    until("dead rows are counted", async || number(&client, counted).await >= 150_000).await;
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

/// A pooler that does not know prepared statements mixes up those of its clients.
#[tokio::test]
async fn statements_are_prepared_only_where_nothing_stands_before_the_server() {
    let Some(server) = Server::start() else { return };
    let Some(pooler) = PgBouncer::start(&server) else { return };
    let database = server.database();
    let findings = open(&database.url).await.diagnose().await.unwrap();
    assert_eq!(found(&findings, "statements").detail, "statements that are run often are prepared");
    let findings = open(&pooler.url(&database)).await.diagnose().await.unwrap();
    assert!(found(&findings, "statements").detail.contains("not prepared"), "{findings:?}");
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

/// Publishes as a transaction of a while ago did.
async fn publish_long_ago(client: &Client) {
    let sql = "SELECT busway.publish('made', 'acme', \"time\" => now() - interval '7 min')";
    client.batch_execute(sql).await.unwrap();
}

#[tokio::test]
async fn an_outbox_that_nobody_empties_fails() {
    let Some(server) = Server::shared() else { return };
    let database = server.database();
    let (store, client) = (open(&database.url).await, database.client().await);
    client.batch_execute("SELECT busway.publish('made', 'acme')").await.unwrap();
    let findings = store.diagnose().await.unwrap();
    assert_eq!(found(&findings, "outbox").detail, "1 event waits in the outbox, none for long");
    publish_long_ago(&client).await;
    let findings = store.diagnose().await.unwrap();
    let outbox = found(&findings, "outbox");
    assert_eq!(outbox.level, Level::Fail, "{outbox:?}");
    assert!(outbox.detail.starts_with("2 events wait in the outbox, row 2 of it for 7 min"), "{}", outbox.detail);
    assert!(outbox.remedy.as_deref().unwrap().contains("busway serve"), "{outbox:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outbox_that_a_lock_keeps_from_being_emptied_fails_until_it_is_let_go() {
    let Some(server) = Server::shared() else { return };
    let database = server.database();
    let store = open(&database.url).await;
    let (client, holder) = (database.client().await, database.client().await);
    publish_long_ago(&client).await;
    // Whoever reads it is not in its way.
    holder.batch_execute("BEGIN; LOCK TABLE busway.outbox IN SHARE MODE").await.unwrap();
    let engine = Engine::start(store.stores(), EngineConfig::default(), Seam::system()).await.unwrap();
    let relays = "SELECT count(*) FROM busway.leases WHERE name = 'relay'";
    until("somebody relays", async || number(&client, relays).await > 0).await;
    let findings = store.diagnose().await.unwrap();
    let outbox = found(&findings, "outbox");
    assert_eq!(outbox.level, Level::Fail, "{outbox:?}");
    assert!(outbox.detail.ends_with("though a process is there to move them into the log"), "{outbox:?}");
    holder.batch_execute("COMMIT").await.unwrap();
    until("it is empty", async || number(&client, "SELECT count(*) FROM busway.outbox").await == 0).await;
    let findings = store.diagnose().await.unwrap();
    assert_eq!(found(&findings, "outbox").level, Level::Ok);
    engine.shutdown().await.unwrap();
}
