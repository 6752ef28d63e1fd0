//! This test binary run once more, as a member or a publisher of its own.

use std::{
    io::Read,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use busway_core::{Random, Seam, SeededRandom};
use busway_engine::Engine;

use super::{
    conduct::{Conduct, OWNER, Writing, event, subscription},
    diary::{Diary, Line},
    stage::numbers_of,
};

const ROLE: &str = "BUSWAY_TEST_ROLE";
const URL: &str = "BUSWAY_TEST_URL";
const DIARY: &str = "BUSWAY_TEST_DIARY";
const INDEX: &str = "BUSWAY_TEST_PROCESS";
/// The role of who publishes until it is told to end; every other role is a conduct's name.
pub(crate) const PUBLISHER: &str = "publisher";
/// Between a publisher's batches, and the events of one.
const PACE: (Duration, u64) = (Duration::from_millis(50), 5);
/// Keys that publishers use.
const KEYS: u64 = 60;

/// A process that a test has started.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) index: u64,
    child: Child,
}

impl Process {
    pub(crate) fn start(role: &str, url: &str, diary: &Path, index: u64) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "members::process::in_this_role", "--nocapture", "--test-threads=1"])
            .env(ROLE, role)
            .env(URL, url)
            .env(DIARY, diary)
            .env(INDEX, index.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self { index, child }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as `kill -9` does, and returns once it is gone.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Lets it leave gracefully, and fails if it does not.
    pub(crate) fn leave(mut self) {
        drop(self.child.stdin.take());
        let status = self.child.wait().unwrap();
        assert!(status.success(), "process {} ended with {status}", self.index);
    }

    /// Stops it where it stands.
    pub(crate) fn freeze(&self) {
        self.signal("STOP");
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, signal: &str) {
        let command = format!("kill -s {signal} {}", self.id());
        let status = Command::new("sh").args(["-c", &command]).status().unwrap();
        assert!(status.success(), "{command}: {status}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // An error means that it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_this_role() {
    let setting = |name| std::env::var(name).ok();
    let (Some(role), Some(url), Some(diary), Some(index)) =
        (setting(ROLE), setting(URL), setting(DIARY), setting(INDEX))
    else {
        return;
    };
    let (process, diary) = (index.parse().unwrap(), Diary::open(Path::new(&diary)));
    let told_to_leave = tokio::task::spawn_blocking(|| std::io::stdin().lock().read_to_end(&mut Vec::new()));
    match role.as_str() {
        PUBLISHER => publish(process, &url, &diary, told_to_leave).await,
        conduct => work(process, &url, diary, Conduct::named(conduct), told_to_leave).await,
    }
}

type ToldToLeave = tokio::task::JoinHandle<std::io::Result<usize>>;

async fn open(url: &str, process: u64, config: busway_engine::Config) -> Engine {
    let stores = busway_backends::open(url, Seam::system()).await.unwrap();
    let app = format!("process-{process}");
    Engine::start(stores, busway_engine::Config { app, ..config }, Seam::system()).await.unwrap()
}

async fn work(process: u64, url: &str, diary: Diary, conduct: &'static Conduct, told_to_leave: ToldToLeave) {
    let engine = open(url, process, (conduct.config)()).await;
    let handler = Arc::new(Writing { process, diary, runs: AtomicU64::new(0), conduct });
    engine.subscribe(OWNER, subscription(), (conduct.definition)(), false, handler).await.unwrap();
    told_to_leave.await.unwrap().unwrap();
    engine.shutdown().await.unwrap();
}

async fn publish(process: u64, url: &str, diary: &Diary, mut told_to_leave: ToldToLeave) {
    let engine = open(url, process, busway_engine::Config::default()).await;
    let chance = SeededRandom::new(process);
    let mut pace = tokio::time::interval(PACE.0);
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut numbers = numbers_of(process);
    loop {
        tokio::select! {
            biased;
            _ = &mut told_to_leave => break,
            _ = pace.tick() => {}
        }
        let batch: Vec<u64> = numbers.by_ref().take(PACE.1 as usize).collect();
        // One in twelve has no key.
        let key = |_: &u64| Some(chance.next() % (KEYS + KEYS / 11)).filter(|key| *key < KEYS);
        let events = batch.iter().map(|n| event(*n, key(n).map(|key| format!("k{key}")).as_deref())).collect();
        diary.write(batch.iter().map(|event| Line::Published { process, event: *event }));
        engine.publish(events).await.unwrap();
        diary.write(batch.iter().map(|event| Line::Acknowledged { process, event: *event }));
    }
    engine.shutdown().await.unwrap();
}
