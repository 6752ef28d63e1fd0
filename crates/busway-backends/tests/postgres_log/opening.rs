use busway_backends::postgres::{Config, Postgres};
use busway_core::{Durability, ErrorKind, Log};
use busway_testbed::postgres::Server;
use futures::future::join_all;
use tokio_postgres::NoTls;

use crate::stage::{append_one, event, open, soon, try_open, until, with};

#[tokio::test]
async fn of_eight_processes_that_start_at_once_each_finds_the_same_log() {
    let Some(server) = Server::shared() else { return };
    let database = server.database();
    let logs = join_all((0..8).map(|_| open(&database.url, "lanes=3&pool=2"))).await;
    let mut epochs = Vec::new();
    for log in &logs {
        append_one(log).await;
        epochs.push(log.heads().await.unwrap().epoch);
    }
    assert!(epochs.iter().all(|epoch| *epoch == epochs[0]));
    assert!(logs.iter().all(|log| log.lanes() == 3));
}

#[tokio::test]
async fn what_is_to_be_run_can_be_seen_first() {
    let Some(server) = Server::shared() else { return };
    let database = server.database();
    let config = Config::from_url(&with(&database.url, "schema=bus")).unwrap();
    let pending = Postgres::pending_migrations(&config).await.unwrap();
    assert_eq!((pending[0].version, pending[0].name), (1, "001_log"));
    assert!(pending[0].sql.contains("CREATE TABLE \"bus\".domain_events"));
    let there = "SELECT to_regnamespace('bus') IS NOT NULL";
    assert!(!database.client().await.query_one(there, &[]).await.unwrap().get::<_, bool>(0));
    open(&database.url, "schema=bus").await;
    assert_eq!(Postgres::pending_migrations(&config).await.unwrap(), []);
}

#[tokio::test]
async fn two_schemas_of_one_database_are_two_logs() {
    let Some(server) = Server::shared() else { return };
    let database = server.database();
    let (one, two) = (open(&database.url, "schema=one&pool=2").await, open(&database.url, "schema=two&pool=2").await);
    append_one(&one).await;
    assert!(two.heads().await.unwrap().seqs.iter().all(|head| *head == 0));
}

#[tokio::test]
async fn another_number_of_lanes_is_refused() {
    let Some(server) = Server::shared() else { return };
    let database = server.database();
    open(&database.url, "lanes=3").await;
    let error = try_open(&database.url, "lanes=4").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
    assert!(error.detail().contains("was made with 3"), "{error}");
    assert_eq!(open(&database.url, "").await.lanes(), 3);
}

#[tokio::test]
async fn a_schema_of_a_newer_busway_is_refused() {
    let Some(server) = Server::shared() else { return };
    let database = server.database();
    open(&database.url, "").await;
    let newer = "UPDATE busway.meta SET value = '99' WHERE key IN ('version', 'usable_from')";
    database.client().await.batch_execute(newer).await.unwrap();
    assert_eq!(try_open(&database.url, "").await.unwrap_err().kind(), ErrorKind::StoreTooNew);
    let beside = "UPDATE busway.meta SET value = '1' WHERE key = 'usable_from'";
    database.client().await.batch_execute(beside).await.unwrap();
    append_one(&*open(&database.url, "pool=2").await).await;
}

#[tokio::test]
async fn what_the_server_refuses_names_the_way_out() {
    let hba = "host all limited,nobody 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n";
    let Some(server) = Server::builder().file("pg_hba.conf", hba).start() else { return };
    let database = server.database();
    let sql = "CREATE ROLE nobody LOGIN PASSWORD 'right'; CREATE ROLE guest LOGIN;
               CREATE ROLE limited LOGIN PASSWORD 'right' CONNECTION LIMIT 0";
    database.client().await.batch_execute(sql).await.unwrap();
    let as_user = |user: &str| database.url.replacen("busway@", &format!("{user}@"), 1);
    for (url, kind, says) in [
        (as_user("nobody:wrong"), ErrorKind::InvalidConfiguration, "password"),
        (as_user("nobody"), ErrorKind::InvalidConfiguration, "password"),
        (as_user("guest"), ErrorKind::InvalidConfiguration, "GRANT CREATE ON DATABASE"),
        (as_user("limited:right"), ErrorKind::Overloaded, "connection"),
        (server.url("missing"), ErrorKind::InvalidConfiguration, "CREATE DATABASE"),
    ] {
        let error = try_open(&url, "").await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.detail().contains(says), "{error}");
        assert!(!error.to_string().contains("wrong"), "{error}");
    }
}

#[tokio::test]
async fn nobody_at_the_address_is_unreachable() {
    let error = try_open("postgres://busway@127.0.0.1:1/none", "").await.unwrap_err();
    assert_eq!((error.kind(), error.is_temporary()), (ErrorKind::Unreachable, true));
    assert!(error.detail().contains("127.0.0.1:1/none"), "{error}");
}

#[tokio::test]
async fn a_database_whose_settings_would_break_promises_is_refused() {
    let Some(server) = Server::shared() else { return };
    let latin = server.database_with("template template0 encoding 'LATIN1' lc_collate 'C' lc_ctype 'C'");
    let error = try_open(&latin.url, "").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
    assert!(error.detail().contains("UTF8"), "{error}");

    let isolated = server.database();
    let log = open(&isolated.url, "pool=2").await;
    let sql = format!("ALTER DATABASE {} SET default_transaction_isolation = 'serializable'", isolated.name);
    isolated.client().await.batch_execute(&sql).await.unwrap();
    let error = try_open(&isolated.url, "").await.unwrap_err();
    assert!(error.detail().contains("read committed"), "{error}");
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid()";
    isolated.client().await.batch_execute(kill).await.unwrap();
    until("appending is refused", async || {
        let error = log.append(&[event(uuid::Uuid::now_v7())]).await.unwrap_err();
        error.kind() == ErrorKind::InvalidConfiguration && error.detail().contains("read committed")
    })
    .await;
}

#[tokio::test]
async fn a_read_only_database_is_full() {
    let Some(server) = Server::shared() else { return };
    let database = server.database();
    let sql = format!("ALTER DATABASE {} SET default_transaction_read_only = on", database.name);
    database.client().await.batch_execute(&sql).await.unwrap();
    let log = open(&database.url, "pool=2").await;
    let error = log.append(&[event(uuid::Uuid::now_v7())]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StorageFull, "{error}");
    assert!(error.detail().contains("read-only"), "{error}");
}

#[tokio::test]
async fn a_server_without_a_connection_left_says_so_and_the_way_out() {
    let few = [("max_connections", "3"), ("superuser_reserved_connections", "0"), ("max_wal_senders", "0")];
    let builder = few.iter().fold(Server::builder(), |builder, (name, value)| builder.setting(name, value));
    let Some(server) = builder.start() else { return };
    let database = server.database();
    let mut taken = Vec::new();
    // One that has just ended may still count.
    soon("every connection is taken", async {
        while taken.len() < 3 {
            if let Ok((client, connection)) = tokio_postgres::connect(&database.url, NoTls).await {
                tokio::spawn(connection);
                taken.push(client);
            }
        }
    })
    .await;
    let error = try_open(&database.url, "pool=2").await.unwrap_err();
    assert_eq!((error.kind(), error.is_temporary()), (ErrorKind::Overloaded, true), "{error}");
    let way_out = "has no connection left; lower `pool`, raise max_connections or use a pooler";
    assert!(error.detail().contains(way_out), "{error}");
    taken.clear();
    until("it opens once there are connections", async || match try_open(&database.url, "pool=2&listen=off").await {
        Ok(log) => {
            append_one(&log).await;
            true
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Overloaded, "{error}");
            false
        }
    })
    .await;
}

#[tokio::test]
async fn what_was_removed_while_it_was_open_is_named() {
    let Some(server) = Server::shared() else { return };
    let database = server.database();
    let log = open(&database.url, "pool=2").await;
    append_one(&log).await;
    database.client().await.batch_execute("DROP SCHEMA busway CASCADE").await.unwrap();
    let error = log.append(&[event(uuid::Uuid::now_v7())]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(error.detail().contains("busway"), "{error}");
}

#[tokio::test]
async fn a_function_that_became_another_while_it_was_open_is_called_as_it_is_now() {
    let Some(server) = Server::shared() else { return };
    let database = server.database();
    let log = open(&database.url, "lanes=2&pool=2&listen=off").await;
    append_one(&log).await;
    let before = log.heads().await.unwrap();
    let another = "
        DROP FUNCTION busway.heads();
        CREATE FUNCTION busway.heads(OUT epoch bigint, OUT heads bigint[], OUT pruned bigint[], OUT lowest int, OUT added int)
        LANGUAGE sql AS $$
            SELECT (SELECT value::bigint FROM busway.meta WHERE key = 'epoch'),
                   array_agg(coalesce((SELECT max(e.seq) FROM busway.newest AS e WHERE e.lane = l.lane), 0) ORDER BY l.lane),
                   array_agg(l.pruned ORDER BY l.lane), 1, 2
            FROM busway.lanes AS l
        $$";
    database.client().await.batch_execute(another).await.unwrap();
    assert_eq!(log.heads().await.unwrap(), before);
}

#[tokio::test]
async fn durability_is_what_the_server_is_set_to() {
    let Some(server) = Server::shared() else { return };
    let database = server.database();
    assert_eq!(open(&database.url, "").await.capabilities().durability, Durability::Disk);
    let sql = format!("ALTER DATABASE {} SET synchronous_commit = off", database.name);
    database.client().await.batch_execute(&sql).await.unwrap();
    assert_eq!(open(&database.url, "").await.capabilities().durability, Durability::Process);
}
