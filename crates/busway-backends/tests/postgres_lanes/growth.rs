use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use busway_core::{Checkpoints, Failure, HoldRecord, KeyId, LaneCommit, Timestamp};
use busway_testbed::postgres::Server;
use serde_json::Value;
use tokio_postgres::{Client, IsolationLevel, SimpleQueryMessage};

use crate::stage::{LANE, Stage, hold};

/// What is stored of the lane's holds: rows and bytes.
async fn stored(client: &Client) -> (i64, i64) {
    let sql = "SELECT count(*), coalesce(sum(octet_length(changes)), 0)::bigint FROM busway.hold_changes";
    let row = client.query_one(sql, &[]).await.unwrap();
    (row.get(0), row.get(1))
}

#[tokio::test]
async fn what_is_stored_of_holds_stays_in_proportion_to_what_holds() {
    let Some(server) = Server::shared() else { return };
    let mut stage = Stage::new(server).await;
    let client = stage.client().await;
    let failures = vec![Failure { at: Timestamp::MIN, error: "x".repeat(1_000).into() }];
    let blocked = HoldRecord { failures, ..hold(KeyId(1), 0) };
    let commit = LaneCommit { holds: vec![blocked.clone()], chunks: vec![(KeyId(1), vec![5, 9])], ..stage.next() };
    stage.done(commit).await;
    for n in 1..=300 {
        let leased: Vec<_> = (0..20).map(|at| hold(KeyId::solo(n * 100 + at), n)).collect();
        let keys = leased.iter().map(|hold| hold.key).collect();
        let commit = LaneCommit { holds: leased, ..stage.next() };
        stage.done(commit).await;
        let commit = LaneCommit { released: keys, ..stage.next() };
        stage.done(commit).await;
    }
    let (rows, bytes) = stored(&client).await;
    assert!(rows < 200 && bytes < 80_000, "600 commits of 300 kB left {rows} rows with {bytes} bytes");
    let held = stage.lane().await.holds;
    assert_eq!(held, [HoldRecord { backlog: vec![5, 9], ..blocked }]);
    let commit = LaneCommit { clear: true, ..stage.next() };
    stage.done(commit).await;
    assert_eq!(stored(&client).await, (0, 0));
}

#[tokio::test]
async fn who_reads_while_changes_are_put_together_sees_each_version_as_it_was_committed() {
    let Some(server) = Server::shared() else { return };
    let mut stage = Stage::new(server).await;
    let ended = Arc::new(AtomicBool::new(false));
    let (store, id, until) = (stage.store.clone(), stage.id, Arc::clone(&ended));
    let reader = tokio::spawn(async move {
        let mut seen = 0;
        while !until.load(Ordering::Relaxed) {
            let lane = store.lane(id, LANE).await.unwrap().unwrap();
            let done: Vec<_> = lane.holds.iter().map(|hold| hold.done).collect();
            let n = lane.checkpoint.version.n;
            assert_eq!(done, if n == 0 { vec![] } else { vec![n; 10] });
            seen += 1;
        }
        seen
    });
    for n in 1..=400 {
        let holds = (0..10).map(|key| hold(KeyId(key), n)).collect();
        let commit = LaneCommit { holds, ..stage.next() };
        stage.done(commit).await;
    }
    ended.store(true, Ordering::Relaxed);
    assert!(reader.await.unwrap() > 0);
}

#[tokio::test]
async fn changes_put_together_twice_at_once_are_put_together_once() {
    let Some(server) = Server::shared() else { return };
    let mut stage = Stage::new(server).await;
    for n in 1..=3 {
        let commit = LaneCommit { holds: vec![hold(KeyId(1), n)], ..stage.next() };
        stage.done(commit).await;
    }
    let (before, client) = (stage.lane().await, stage.client().await);
    let sql = "SELECT busway.put_holds_together($1, 0, 0, 0, 0, 2, changes) FROM busway.hold_changes WHERE n = 2";
    for _ in 0..2 {
        client.execute(sql, &[&stage.id.0]).await.unwrap();
        assert_eq!(stored(&client).await.0, 2);
        assert_eq!(stage.lane().await, before);
    }
}

#[tokio::test]
async fn a_lane_is_committed_and_read_in_as_few_pages_as_ever_while_a_transaction_is_open() {
    let server = Server::builder().setting("track_activity_query_size", "8192").start();
    let Some(server) = server else { return };
    let mut stage = Stage::new(&server).await;
    let (mut other, client) = (stage.client().await, stage.client().await);
    let open = other.build_transaction().isolation_level(IsolationLevel::RepeatableRead).start().await.unwrap();
    open.query("SELECT FROM busway.checkpoints", &[]).await.unwrap();
    prepare(&mut stage, &client).await;
    let before = pages(&mut stage, &client).await;
    for n in 1..=1_500 {
        let commit = LaneCommit { holds: vec![hold(KeyId(1), n)], ..stage.next() };
        stage.done(commit).await;
        let commit = LaneCommit { released: vec![KeyId(1)], ..stage.next() };
        stage.done(commit).await;
    }
    let commit = LaneCommit { clear: true, ..stage.next() };
    stage.done(commit).await;
    let sql = "SELECT (SELECT count(*) FROM busway.checkpoints), pg_relation_size('busway.checkpoints') / 8192";
    assert!(
        client.query_one(sql, &[]).await.unwrap().get::<_, i64>(1) > 50,
        "nothing was kept from being cleared away"
    );
    let after = pages(&mut stage, &client).await;
    let few = after.iter().zip(before).all(|(after, before)| after - before <= 12);
    assert!(few, "pages for a commit, one that goes with others and a read went from {before:?} to {after:?}");
}

/// Prepares what the store itself sends for a commit, one that goes with others and a read, as `commit`, `move` and `read`.
async fn prepare(stage: &mut Stage, client: &Client) {
    let sql = "SELECT query FROM pg_stat_activity WHERE application_name = 'busway' AND query LIKE '%' || $1 || '%'";
    let commit = LaneCommit { buried: vec![1], ..stage.next() };
    stage.done(commit).await;
    let commit: String = client.query_one(sql, &[&"commit_lane("]).await.unwrap().get(0);
    let moving = stage.next();
    stage.done(moving).await;
    let moving: String = client.query_one(sql, &[&"commit_lanes("]).await.unwrap().get(0);
    stage.lane().await;
    let read: String = client.query_one(sql, &[&"dead_letters"]).await.unwrap().get(0);
    let prepare = format!("PREPARE commit AS {commit}; PREPARE move AS {moving}; PREPARE read (uuid, int) AS {read}");
    client.batch_execute(&prepare).await.unwrap();
}

/// Pages that those look at, in a session that has done all before.
async fn pages(stage: &mut Stage, client: &Client) -> [i64; 3] {
    let mut looked = [0; 3];
    for _ in 0..2 {
        let id = stage.id;
        let (n, next) = step(stage);
        let commit = format!(
            "commit ('{id}', 0, 0, {n}, 9, 0, {next}, 7, NULL, true, NULL, NULL, NULL, 0, '[]', 0, 0, false, NULL, '{{}}', '{{}}')"
        );
        let (n, next) = step(stage);
        let moving = format!(
            "move ('{{{id}}}', '{{0}}', '{{0}}', '{{{n}}}', '{{9}}', '{{0}}', '{{{next}}}', '{{7}}', '{{NULL}}', '{{true}}', \
             '{{NULL}}', '{{NULL}}', '{{NULL}}', '{{0}}', '{{[]}}', '{{0}}', '{{0}}', '{{\"\\\\x01\"}}')"
        );
        let read = format!("read ('{id}', 0)");
        for (looked, what) in looked.iter_mut().zip([commit, moving, read]) {
            *looked = explained(client, &what).await;
        }
    }
    looked
}

/// The lane's version, and that of the next commit, which is thought to be made.
fn step(stage: &mut Stage) -> (u64, u64) {
    let n = stage.checkpoint.version.n;
    stage.checkpoint = stage.next().checkpoint;
    (n, stage.checkpoint.version.n)
}

async fn explained(client: &Client, what: &str) -> i64 {
    let messages =
        client.simple_query(&format!("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE {what}")).await.unwrap();
    let lines = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    let plan: Value = serde_json::from_str(&lines.collect::<String>()).unwrap();
    ["Shared Hit Blocks", "Shared Read Blocks"].iter().map(|pages| plan[0]["Plan"][pages].as_i64().unwrap()).sum()
}
