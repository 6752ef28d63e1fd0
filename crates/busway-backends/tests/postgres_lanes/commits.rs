use busway_core::{Checkpoints, CommitOutcome, Version};
use busway_testbed::postgres::Server;
use uuid::Uuid;

use crate::stage::{Stage, somebody_waits};

/// Lets a commit wait behind one that is made past the store, and tells what became of it.
async fn outcome_behind(stage: &Stage, changes: &str) -> CommitOutcome {
    let mut client = stage.client().await;
    let (watcher, behind) = (stage.client().await, stage.take(Uuid::now_v7()));
    let first = client.transaction().await.unwrap();
    first.batch_execute(changes).await.unwrap();
    let store = stage.store.clone();
    let waiting = tokio::spawn(async move { store.commit(behind).await });
    somebody_waits(&watcher).await;
    first.commit().await.unwrap();
    waiting.await.unwrap().unwrap()
}

#[tokio::test]
async fn of_two_takers_the_one_that_waits_is_refused_with_what_the_first_stored() {
    let Some(server) = Server::shared() else { return };
    let stage = Stage::new(server).await;
    let outcome = outcome_behind(&stage, "UPDATE busway.checkpoints SET fence = 1").await;
    assert_eq!(outcome, CommitOutcome::Fenced(Some(Version { fence: 1, n: 0 })));
}

#[tokio::test]
async fn a_commit_goes_on_behind_a_change_that_leaves_the_version() {
    let Some(server) = Server::shared() else { return };
    let stage = Stage::new(server).await;
    let outcome = outcome_behind(&stage, "UPDATE busway.checkpoints SET held_bytes = held_bytes").await;
    assert_eq!(outcome, CommitOutcome::Done);
}

#[tokio::test]
async fn a_commit_that_was_stored_while_its_answer_was_lost_is_recognised_by_the_one_that_waits() {
    let Some(server) = Server::shared() else { return };
    let stage = Stage::new(server).await;
    let mut client = stage.client().await;
    let (watcher, commit) = (stage.client().await, stage.next());
    let first = client.transaction().await.unwrap();
    first.batch_execute("UPDATE busway.checkpoints SET n = 1, written_by = 7").await.unwrap();
    let (store, repeated) = (stage.store.clone(), commit.clone());
    let waiting = tokio::spawn(async move { store.commit(repeated).await });
    somebody_waits(&watcher).await;
    first.commit().await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap(), CommitOutcome::Done);
}
