use busway_core::{Checkpoints, CommitOutcome, KeyId, LaneCommit, RequestKind};
use busway_testbed::postgres::Server;

use crate::stage::{LANE, Stage, hold, somebody_waits};

#[tokio::test]
async fn a_commit_behind_a_removal_finds_nothing_and_leaves_nothing() {
    let Some(server) = Server::shared() else { return };
    let stage = Stage::new(server).await;
    let (mut client, watcher) = (stage.client().await, stage.client().await);
    let commit = LaneCommit { holds: vec![hold(KeyId(1), 0)], ..stage.next() };
    let removal = client.transaction().await.unwrap();
    removal.execute("SELECT busway.remove_subscription($1, false)", &[&stage.id.0]).await.unwrap();
    let store = stage.store.clone();
    let waiting = tokio::spawn(async move { store.commit(commit).await });
    somebody_waits(&watcher).await;
    removal.commit().await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap(), CommitOutcome::Fenced(None));
    assert_eq!(kept(&stage).await, 0);
}

#[tokio::test]
async fn a_removal_behind_a_commit_takes_along_what_it_stored() {
    let Some(server) = Server::shared() else { return };
    let stage = Stage::new(server).await;
    let (mut client, watcher) = (stage.client().await, stage.client().await);
    let commit = client.transaction().await.unwrap();
    commit
        .batch_execute(
            "UPDATE busway.checkpoints SET n = 1;
             INSERT INTO busway.hold_changes SELECT subscription, fence, n, lane, '' FROM busway.checkpoints",
        )
        .await
        .unwrap();
    let (store, id) = (stage.store.clone(), stage.id);
    let waiting = tokio::spawn(async move { store.remove_subscription(id, false).await });
    somebody_waits(&watcher).await;
    commit.commit().await.unwrap();
    assert!(waiting.await.unwrap().unwrap());
    assert_eq!(kept(&stage).await, 0);
}

#[tokio::test]
async fn a_request_behind_a_removal_finds_nothing() {
    let Some(server) = Server::shared() else { return };
    let stage = Stage::new(server).await;
    let (mut client, watcher) = (stage.client().await, stage.client().await);
    let removal = client.transaction().await.unwrap();
    removal.execute("SELECT busway.remove_subscription($1, false)", &[&stage.id.0]).await.unwrap();
    let (store, id) = (stage.store.clone(), stage.id);
    let waiting = tokio::spawn(async move { store.request(id, LANE, RequestKind::Seek { to: 1 }).await });
    somebody_waits(&watcher).await;
    removal.commit().await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap_err().kind(), busway_core::ErrorKind::NotFound);
    assert_eq!(kept(&stage).await, 0);
}

#[tokio::test]
async fn a_removal_locks_lanes_in_the_order_in_which_commits_do() {
    let Some(server) = Server::shared() else { return };
    let stage = Stage::with_lanes(server, 8).await;
    let (client, watcher) = (stage.client().await, stage.client().await);
    for lane in (0..8).rev() {
        // In the table the last lane now comes first.
        client.execute("UPDATE busway.checkpoints SET n = 1 WHERE lane = $1", &[&lane]).await.unwrap();
    }
    client.batch_execute("BEGIN; SELECT FROM busway.checkpoints WHERE lane = 0 FOR UPDATE").await.unwrap();
    let (store, id) = (stage.store.clone(), stage.id);
    let waiting = tokio::spawn(async move { store.remove_subscription(id, false).await });
    somebody_waits(&watcher).await;
    watcher.batch_execute("SELECT FROM busway.checkpoints WHERE lane > 0 FOR UPDATE NOWAIT").await.unwrap();
    client.batch_execute("COMMIT").await.unwrap();
    assert!(waiting.await.unwrap().unwrap());
}

/// Rows that are left of subscriptions.
async fn kept(stage: &Stage) -> i64 {
    let sql = "SELECT (SELECT count(*) FROM busway.checkpoints) + (SELECT count(*) FROM busway.hold_changes)
                    + (SELECT count(*) FROM busway.requests)";
    stage.client().await.query_one(sql, &[]).await.unwrap().get(0)
}
