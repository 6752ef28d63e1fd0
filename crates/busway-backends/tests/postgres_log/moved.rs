use busway_core::{LaneId, Log};
use busway_testbed::postgres::Server;
use uuid::Uuid;

use crate::stage::{append_one, assert_holds, event, open, read_all, until};

#[tokio::test]
async fn a_log_restored_into_another_cluster_goes_on_under_another_epoch() {
    let Some(server) = Server::shared() else { return };
    let Some(other) = Server::start() else { return };
    let (database, target) = (server.database(), other.database());
    let log = open(&database.url, "lanes=2&pool=2").await;
    let mut events: Vec<_> = (0..50).map(|_| event(Uuid::now_v7())).collect();
    log.append(&events).await.unwrap();
    target.restore(&database.dump());
    let restored = open(&target.url, "pool=2").await;
    let (before, after) = (log.heads().await.unwrap(), restored.heads().await.unwrap());
    assert_eq!(before.seqs, after.seqs);
    assert_ne!(before.epoch, after.epoch);
    assert_eq!(open(&target.url, "pool=2").await.heads().await.unwrap().epoch, after.epoch);
    assert!(restored.append(&events[..1]).await.unwrap()[0].duplicate);
    let new = event(Uuid::now_v7());
    let told = restored.append(std::slice::from_ref(&new)).await.unwrap()[0];
    assert!(before.seqs.iter().all(|head| told.seq > *head));
    events.push(new);
    assert_holds(&restored, &events).await;
}

#[tokio::test]
async fn a_log_whose_sequence_was_left_behind_goes_on_above_its_events() {
    let Some(server) = Server::shared() else { return };
    let database = server.database();
    let (log, client) = (open(&database.url, "lanes=1&pool=2").await, database.client().await);
    let mut last = append_one(&log).await;
    for _ in 0..10 {
        last = append_one(&log).await;
    }
    // As after logical replication: another cluster, all rows, and a sequence that nobody has drawn from.
    let sql = "SELECT setval('busway.draws', 1, false); UPDATE busway.meta SET value = 'there' WHERE key = 'identity'";
    client.batch_execute(sql).await.unwrap();
    let found = open(&database.url, "pool=2").await;
    assert!(append_one(&found).await.seq > last.seq);
    assert_eq!(read_all(&found, LaneId(0)).await.len(), 12);
}

#[tokio::test]
async fn a_running_process_notices_that_its_connections_lead_elsewhere() {
    let Some(server) = Server::shared() else { return };
    let database = server.database();
    let (log, client) = (open(&database.url, "pool=2&listen=off").await, database.client().await);
    let before = log.heads().await.unwrap().epoch;
    let sql = "UPDATE busway.meta SET value = 'there' WHERE key = 'identity';
               SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    client.batch_execute(sql).await.unwrap();
    until("the epoch is another", async || log.heads().await.is_ok_and(|heads| heads.epoch != before)).await;
}
