use std::{sync::Arc, time::Duration};

use busway_backends::postgres::{Config, Postgres};
use busway_core::{
    Checkpoint, Checkpoints, CommitOutcome, Definition, HoldRecord, HoldState, KeyId, LaneCommit, LaneId, LaneRecord,
    MemberId, Mode, Owner, Patterns, Seam, Seq, SubscriptionId, SubscriptionName, SubscriptionRecord, Timestamp,
    TurnId,
};
use busway_testbed::postgres::{Database, Server};
use tokio_postgres::Client;
use uuid::Uuid;

pub(crate) const LANE: LaneId = LaneId(0);
/// Connections of a store.
pub(crate) const POOL: i64 = 3;

/// A store with one subscription, and the one lane of it as its holder sees it.
pub(crate) struct Stage {
    database: Database,
    pub(crate) store: Arc<Postgres>,
    pub(crate) id: SubscriptionId,
    pub(crate) checkpoint: Checkpoint,
}

impl Stage {
    pub(crate) async fn new(server: &Server) -> Self {
        Self::with_lanes(server, 1).await
    }

    /// Of a log with so many lanes, of which it holds the first.
    pub(crate) async fn with_lanes(server: &Server, lanes: usize) -> Self {
        let database = server.database();
        let config = Config::from_url(&format!("{}?lanes={lanes}&pool={POOL}", database.url)).unwrap();
        let store = Postgres::open(config, Seam::system()).await.unwrap();
        let id = SubscriptionId(Uuid::now_v7());
        let record = SubscriptionRecord {
            id,
            owner: Owner::Installation,
            name: SubscriptionName::new("billing").unwrap(),
            version: 1,
            revision: 1,
            definition: Definition::new(Patterns::all(), Mode::Run),
            earlier: Vec::new(),
            control: Default::default(),
            made_at: Timestamp::MIN,
            read_at: Timestamp::MIN,
            replay: None,
        };
        assert!(store.save_subscription(&record, None, &vec![0; lanes]).await.unwrap());
        Self { database, store, id, checkpoint: Checkpoint::starting(0, 1) }
    }

    /// A connection past the store.
    pub(crate) async fn client(&self) -> Client {
        self.database.client().await
    }

    /// The holder's next commit, which changes nothing yet.
    pub(crate) fn next(&self) -> LaneCommit {
        let expected = self.checkpoint.version;
        let checkpoint = Checkpoint { version: expected.next(), written_by: 7, ..self.checkpoint.clone() };
        LaneCommit::new(self.id, LANE, expected, checkpoint)
    }

    /// The commit by which a member takes the lane.
    pub(crate) fn take(&self, member: Uuid) -> LaneCommit {
        let mut commit = self.next();
        commit.checkpoint.version = commit.expected.taken();
        commit.checkpoint.written_by = member.as_u64_pair().1;
        commit.checkpoint.holder = Some(MemberId(member));
        commit
    }

    pub(crate) async fn done(&mut self, commit: LaneCommit) {
        let checkpoint = commit.checkpoint.clone();
        assert_eq!(self.store.commit(commit).await.unwrap(), CommitOutcome::Done);
        self.checkpoint = checkpoint;
    }

    pub(crate) async fn lane(&self) -> LaneRecord {
        self.store.lane(self.id, LANE).await.unwrap().unwrap()
    }
}

pub(crate) fn hold(key: KeyId, done: Seq) -> HoldRecord {
    HoldRecord {
        key,
        turn: TurnId(7),
        done,
        head: Some(done + 1),
        again: None,
        state: HoldState::Leased,
        attempt: 1,
        due: Timestamp::from_millis(1_767_225_600_000),
        fence: 3,
        last: done + 1,
        failures: Vec::new(),
        backlog: Vec::new(),
    }
}

/// Returns once a statement of this database waits for another's lock.
pub(crate) async fn somebody_waits(client: &Client) {
    so_many_wait(client, 1).await;
}

/// Returns once so many statements of this database wait for others' locks.
pub(crate) async fn so_many_wait(client: &Client, wanted: i64) {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let waits = async {
        while client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) != wanted {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waits).await.expect("as many wait for a lock");
}
