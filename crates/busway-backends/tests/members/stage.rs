//! A store, the diary and the processes that come and go on them.

use std::{
    collections::BTreeMap,
    ops::RangeInclusive,
    time::{Duration, Instant},
};

use busway_core::{DeadLetter, DeadLetterQuery, Entry, LaneId, ReadRequest, Seam, Seq, Stores};
use busway_engine::{Engine, SubscriptionView};

use super::{
    conduct::{OWNER, event, subscription},
    diary::{Diary, Line},
    figures::{Figures, Happened},
    leases::LeaseWatch,
    process::Process,
};

/// A store of its own for one test, at a URL that every process can open; gone once dropped.
pub(crate) trait Place {
    fn url(&self) -> String;
}

/// Longer than anything takes that a test waits for.
const LONG: Duration = Duration::from_secs(240);
/// Between looks at what a test waits for.
const LOOK: Duration = Duration::from_millis(10);
/// The test itself, as a publisher.
const TEST: u64 = 0;

/// The numbers of the events that a process publishes.
pub(crate) fn numbers_of(process: u64) -> RangeInclusive<u64> {
    process * 1_000_000..=process * 1_000_000 + 999_999
}

pub(crate) struct Stage {
    url: String,
    folder: tempfile::TempDir,
    pub(crate) stores: Stores,
    pub(crate) engine: Engine,
    pub(crate) diary: Diary,
    leases: LeaseWatch,
    processes: u64,
    began: Instant,
}

impl Stage {
    pub(crate) async fn on(place: &impl Place) -> Self {
        let (url, folder) = (place.url(), tempfile::tempdir().unwrap());
        let stores = busway_backends::open(&url, Seam::system()).await.unwrap();
        let config = busway_engine::Config { app: format!("process-{TEST}"), ..busway_engine::Config::default() };
        let engine = Engine::start(stores.clone(), config, Seam::system()).await.unwrap();
        let diary = Diary::open(&folder.path().join("diary"));
        let leases = LeaseWatch::begin(&stores, Diary::open(diary.path()));
        Self { url, folder, stores, engine, diary, leases, processes: TEST, began: Instant::now() }
    }

    /// Starts a process in a role: a publisher, or a member of this conduct.
    pub(crate) fn start(&mut self, role: &str) -> Process {
        self.processes += 1;
        Process::start(role, &self.url, self.diary.path(), self.processes)
    }

    pub(crate) fn kill(&self, process: &mut Process) {
        self.diary.write([Line::Killed { process: process.index }]);
        process.kill();
        self.diary.write([Line::Gone { process: process.index }]);
    }

    /// Publishes numbered events, each with its key.
    pub(crate) async fn publish(&self, events: impl IntoIterator<Item = (u64, String)>) {
        let events: Vec<(u64, String)> = events.into_iter().collect();
        for batch in events.chunks(500) {
            self.diary.write(batch.iter().map(|(n, _)| Line::Published { process: TEST, event: *n }));
            self.engine.publish(batch.iter().map(|(n, key)| event(*n, Some(key))).collect()).await.unwrap();
            self.diary.write(batch.iter().map(|(n, _)| Line::Acknowledged { process: TEST, event: *n }));
        }
    }

    /// Waits until something holds.
    pub(crate) async fn until(&self, what: &str, mut holds: impl AsyncFnMut() -> bool) {
        let began = Instant::now();
        while !holds().await {
            if began.elapsed() > LONG {
                let standing = self.standing().await;
                panic!("{what}: not within {LONG:?}; unsettled: {standing}; lines: {}", self.diary.len());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until so many more runs are acknowledged.
    pub(crate) async fn more_done(&self, runs: u64) {
        let (mut read, mut done) = (self.diary.len(), 0);
        self.until("more is done", async || {
            let lines = self.diary.lines_after(read);
            read += lines.len() as u64;
            done += lines.iter().filter(|line| matches!(line, Line::Done { .. })).count() as u64;
            done >= runs
        })
        .await;
    }

    /// Waits until every lane has settled everything.
    pub(crate) async fn settled(&self) {
        self.until("everything is settled", async || self.standing().await.is_empty()).await;
    }

    /// What is not settled, in words.
    pub(crate) async fn standing(&self) -> String {
        let heads = self.stores.log.heads().await.unwrap();
        let checkpoints = &self.stores.checkpoints;
        // A store may have subscriptions of its own.
        let subscriptions = checkpoints.subscriptions().await.unwrap();
        let Some(record) = subscriptions.into_iter().find(|record| record.name == subscription()) else {
            return "nobody has subscribed".into();
        };
        let mut standing = String::new();
        for (_, lane, checkpoint) in checkpoints.checkpoints(Some(record.id)).await.unwrap() {
            let head = heads.seqs[usize::from(lane.0)];
            if checkpoint.position < head || checkpoint.handed.is_some() {
                standing += &format!("lane {lane} of head {head} {checkpoint:?}; ");
            }
        }
        for (lane, held, needed) in checkpoints.hold_counts(record.id).await.unwrap() {
            if held > 0 || needed != Seq::MAX {
                standing += &format!("lane {lane} has {held} holds that need {needed}; ");
            }
        }
        standing
    }

    pub(crate) async fn view(&self) -> SubscriptionView {
        self.engine.subscription(&OWNER, &subscription()).await.unwrap()
    }

    pub(crate) async fn letters(&self) -> Vec<DeadLetter> {
        let query = DeadLetterQuery { limit: 1_000_000, ..DeadLetterQuery::default() };
        self.stores.checkpoints.dead_letters(&query).await.unwrap().items
    }

    async fn entries(&self) -> Vec<std::sync::Arc<Entry>> {
        let mut entries = Vec::new();
        for (lane, head) in (0..).map(LaneId).zip(self.stores.log.heads().await.unwrap().seqs) {
            let mut after = 0;
            while after < head {
                let page = self.stores.log.read(ReadRequest::after(lane, after, 1_000)).await.unwrap();
                assert!(page.looked > after, "a read of lane {lane} after {after} of {head} looks no further");
                after = page.looked;
                entries.extend(page.entries);
            }
        }
        entries
    }

    /// Ends the test: prints what happened and fails if it breaks a promise.
    pub(crate) async fn judged(self, what: &str, attempts: u32) -> Figures {
        let (entries, letters) = (self.entries().await, self.letters().await);
        let suspended = self.leases.end().await;
        self.engine.shutdown().await.unwrap();
        let happened = Happened { lines: self.diary.lines(), entries, letters, suspended, attempts };
        let figures = Figures::of(&happened);
        println!("{what}, {:.1} s: {figures}", self.began.elapsed().as_secs_f64());
        if !figures.broken().is_empty() {
            println!("the diary: {}", self.folder.keep().join("diary").display());
        }
        assert!(figures.broken().is_empty(), "{what}: broken: {:?}", figures.broken());
        figures
    }
}

/// Runs without an end so far: (process, run) and the event.
pub(crate) fn open_runs(lines: &[Line]) -> BTreeMap<(u64, u64), u64> {
    let mut open = BTreeMap::new();
    for line in lines {
        match *line {
            Line::Started { process, run, event, .. } => {
                open.insert((process, run), event);
            }
            Line::Done { process, run } | Line::Failed { process, run } | Line::Refused { process, run } => {
                open.remove(&(process, run));
            }
            _ => {}
        }
    }
    open
}
