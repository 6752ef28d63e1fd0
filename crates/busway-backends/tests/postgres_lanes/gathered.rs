//! Commits that come while others are under way, and go together.

use std::{ops::Range, pin::Pin, sync::Arc};

use busway_backends::postgres::Postgres;
use busway_core::{
    Checkpoint, Checkpoints, CommitOutcome, Handed, HoldRecord, KeyId, LaneCommit, LaneId, MemberId, Result, Version,
};
use busway_testbed::postgres::Server;
use futures::future::join_all;
use tokio::task::JoinHandle;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::stage::{POOL, Stage, hold, so_many_wait};

const LANES: usize = 8;
/// Those whose commits are the two that may be under way at once.
const FIRST: Range<u16> = 0..2;
/// Those whose commits come then.
const LATER: Range<u16> = 2..8;

type Committing = Pin<Box<dyn Future<Output = Result<CommitOutcome>> + Send>>;

/// A store that is so busy that its first two commits wait for connections, and others behind them in their order.
struct Queue {
    stage: Stage,
    locker: Client,
    readers: Vec<JoinHandle<Result<u64>>>,
    first: Vec<Committing>,
    later: Vec<Committing>,
}

impl Queue {
    async fn of(server: &Server, commits: impl Fn(&Stage) -> Vec<LaneCommit>) -> Self {
        let stage = Stage::with_lanes(server, LANES).await;
        let (watcher, locker) = (stage.client().await, stage.client().await);
        locker.batch_execute("BEGIN; LOCK TABLE busway.dead_letters").await.unwrap();
        let (store, id) = (&stage.store, stage.id);
        let read = |store: Arc<Postgres>| tokio::spawn(async move { store.dead_count(id).await });
        let readers = (0..POOL).map(|_| read(store.clone())).collect();
        so_many_wait(&watcher, POOL).await;
        let first = started(FIRST.map(|lane| committing(&stage, next(&stage, lane)))).await;
        let later = started(commits(&stage).into_iter().map(|commit| committing(&stage, commit))).await;
        Self { stage, locker, readers, first, later }
    }

    /// What became of those that came later, in their order.
    async fn outcomes(self) -> (Stage, Vec<Result<CommitOutcome>>) {
        let Self { stage, locker, readers, first, later } = self;
        locker.batch_execute("COMMIT").await.unwrap();
        let (first, later, readers) = tokio::join!(join_all(first), join_all(later), join_all(readers));
        assert!(readers.iter().all(|read| read.as_ref().unwrap().is_ok()), "{readers:?}");
        assert!(are_done(&first), "{first:?}");
        (stage, later)
    }
}

/// Each is under way, or has found its place, before the next comes.
async fn started(commits: impl Iterator<Item = Committing>) -> Vec<Committing> {
    let mut started: Vec<Committing> = commits.collect();
    for commit in &mut started {
        assert!(futures::poll!(commit).is_pending());
        tokio::task::yield_now().await;
    }
    started
}

fn are_done(outcomes: &[Result<CommitOutcome>]) -> bool {
    outcomes.iter().all(|outcome| matches!(outcome, Ok(CommitOutcome::Done)))
}

fn committing(stage: &Stage, commit: LaneCommit) -> Committing {
    let store = stage.store.clone();
    Box::pin(async move { store.commit(commit).await })
}

/// The next commit of a lane, of which no column is as it was or as another lane's.
fn next(stage: &Stage, lane: u16) -> LaneCommit {
    let number = u64::from(lane) + 1;
    let mut commit = stage.next();
    commit.lane = LaneId(lane);
    commit.checkpoint = Checkpoint {
        position: 10 * number,
        written_by: 100 * number,
        holder: Some(MemberId(Uuid::from_u128(17 * u128::from(number)))),
        released: lane.is_multiple_of(2),
        handed: lane.is_multiple_of(3).then(|| Handed { seq: 11 * number, key: number.into(), turn: 12 * number }),
        probation: 13 * number,
        delivered: 14 * number,
        failed: 15 * number,
        ..commit.checkpoint
    };
    commit.checkpoint.segments[0].revision = 16 * number;
    // Some change holds too.
    if !lane.is_multiple_of(3) {
        commit.holds = vec![hold(KeyId(18 * u128::from(number)), 19 * number)];
    }
    commit
}

fn all_later(stage: &Stage) -> Vec<LaneCommit> {
    LATER.rev().map(|lane| next(stage, lane)).collect()
}

async fn stored(stage: &Stage, lane: u16) -> (Checkpoint, Vec<HoldRecord>) {
    let lane = stage.store.lane(stage.id, LaneId(lane)).await.unwrap().unwrap();
    (lane.checkpoint, lane.holds)
}

async fn is_stored(stage: &Stage, lane: u16) {
    let LaneCommit { checkpoint, holds, .. } = next(stage, lane);
    assert_eq!(stored(stage, lane).await, (checkpoint, holds), "lane {lane}");
}

async fn is_as_before(stage: &Stage, lane: u16) {
    let (checkpoint, holds) = stored(stage, lane).await;
    assert_eq!((checkpoint.position, holds), (0, vec![]), "lane {lane}");
}

#[tokio::test]
async fn commits_that_wait_are_applied_in_one_transaction() {
    let Some(server) = Server::shared() else { return };
    let (stage, outcomes) = Queue::of(server, all_later).await.outcomes().await;
    assert!(are_done(&outcomes), "{outcomes:?}");
    for lane in LATER {
        is_stored(&stage, lane).await;
    }
    let sql = "SELECT count(DISTINCT xmin::text) FROM busway.checkpoints WHERE lane >= 2";
    let transactions: i64 = stage.client().await.query_one(sql, &[]).await.unwrap().get(0);
    assert_eq!(transactions, 1);
}

#[tokio::test]
async fn commits_that_go_together_are_refused_each_for_itself() {
    let Some(server) = Server::shared() else { return };
    let queue = Queue::of(server, |stage| {
        let mut commits = all_later(stage);
        commits[0].expected.fence = 9;
        // The same again, as after an answer that was lost.
        commits.push(commits[3].clone());
        commits
    });
    let (stage, mut outcomes) = queue.await.outcomes().await;
    let refused = outcomes.remove(0).unwrap();
    assert_eq!(refused, CommitOutcome::Fenced(Some(Version::default())));
    assert!(are_done(&outcomes), "{outcomes:?}");
    let (refused, others) = (LATER.end - 1, LATER.start..LATER.end - 1);
    is_as_before(&stage, refused).await;
    for lane in others {
        is_stored(&stage, lane).await;
    }
}

#[tokio::test]
async fn a_lane_that_somebody_keeps_locked_keeps_no_other_from_its_commit() {
    let Some(server) = Server::shared() else { return };
    let mut queue = Queue::of(server, all_later).await;
    let locker = queue.stage.client().await;
    locker.batch_execute("BEGIN; SELECT FROM busway.checkpoints WHERE lane = 7 FOR UPDATE").await.unwrap();
    let locked = tokio::spawn(queue.later.remove(0));
    let (stage, outcomes) = queue.outcomes().await;
    assert!(are_done(&outcomes), "{outcomes:?}");
    assert!(!locked.is_finished());
    locker.batch_execute("COMMIT").await.unwrap();
    assert_eq!(locked.await.unwrap().unwrap(), CommitOutcome::Done);
    is_stored(&stage, 7).await;
}

#[tokio::test]
async fn holds_that_have_outgrown_are_put_together_whoever_carried_their_commit() {
    let Some(server) = Server::shared() else { return };
    let many = |stage: &Stage, lane| LaneCommit {
        holds: (0..2_000).map(|key| hold(KeyId(key), 1)).collect(),
        ..next(stage, lane)
    };
    let queue = Queue::of(server, |stage| LATER.map(|lane| many(stage, lane)).collect()).await;
    let (stage, outcomes) = queue.outcomes().await;
    assert!(are_done(&outcomes), "{outcomes:?}");
    let client = stage.client().await;
    let put_together = "SELECT count(*) FROM busway.checkpoints WHERE lane >= 2 AND base_bytes > 65536 AND base_n = n";
    assert_eq!(client.query_one(put_together, &[]).await.unwrap().get::<_, i64>(0), 6);
    for lane in LATER {
        assert_eq!(stored(&stage, lane).await.1.len(), 2_000);
    }
}

#[tokio::test]
async fn the_commit_of_who_went_away_while_it_waited_is_not_made() {
    let Some(server) = Server::shared() else { return };
    let mut queue = Queue::of(server, all_later).await;
    drop(queue.later.remove(2));
    let (stage, outcomes) = queue.outcomes().await;
    assert!(are_done(&outcomes), "{outcomes:?}");
    is_as_before(&stage, 5).await;
}

#[tokio::test]
async fn however_many_wait_and_go_away_all_others_are_answered() {
    let Some(server) = Server::shared() else { return };
    let mut queue = Queue::of(server, |stage| vec![next(stage, 2); 600]).await;
    let mut left = false;
    queue.later.retain(|_| {
        left = !left;
        left
    });
    let (stage, outcomes) = queue.outcomes().await;
    assert_eq!(outcomes.len(), 300);
    assert!(are_done(&outcomes), "{outcomes:?}");
    is_stored(&stage, 2).await;
}

#[tokio::test]
async fn a_lane_that_stands_still_keeps_no_other_from_its_commit() {
    let Some(server) = Server::shared() else { return };
    let mut queue = Queue::of(server, all_later).await;
    // Those whose commits are under way, and the first behind them, are not polled any more.
    let still = [queue.first.remove(0), queue.first.remove(0), queue.later.remove(0)];
    let (stage, outcomes) = queue.outcomes().await;
    assert!(are_done(&outcomes), "{outcomes:?}");
    let still = join_all(still).await;
    assert!(are_done(&still), "{still:?}");
    for lane in 0..LATER.end {
        is_stored(&stage, lane).await;
    }
}
