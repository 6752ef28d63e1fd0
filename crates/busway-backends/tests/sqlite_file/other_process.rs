//! This test binary run once more, as a process of its own on the same file.

use std::{
    io::{BufRead, BufReader, Lines, Write},
    os::unix::{fs::MetadataExt, process::CommandExt},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use busway_backends::sqlite::Sqlite;
use busway_core::{Log, Seam};
use uuid::Uuid;

use crate::events::{event_with, one_lane};

const ROLE: &str = "BUSWAY_TEST_ROLE";
const FILE: &str = "BUSWAY_TEST_FILE";
/// What marks the lines that are meant for the test.
const MARK: &str = "busway> ";
const NOBODY: u32 = 65_534;
/// Events that [`Role::PublishSame`] publishes, each a process in its own order.
pub(crate) const SAME: u128 = 200;

/// What another process does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Role {
    /// Opens the store and says `opened` or why not.
    Open,
    /// Opens the store once told to and says its epoch and its lanes.
    Make,
    /// Publishes one event once told to.
    PublishOne,
    /// Publishes events without end and says each id once it is acknowledged.
    PublishOn,
    /// Publishes the same events as everyone in this role, once told to, and says `duplicate` or `first` of each.
    PublishSame,
}

pub(crate) struct OtherProcess {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl OtherProcess {
    pub(crate) fn start(role: Role, file: &Path) -> Self {
        Self::spawn(&mut Self::command(role, file))
    }

    /// As a user to whom permissions apply.
    pub(crate) fn start_unprivileged(role: Role, file: &Path) -> Self {
        let mut command = Self::command(role, file);
        if std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0) {
            command.uid(NOBODY).gid(NOBODY);
        }
        Self::spawn(&mut command)
    }

    fn command(role: Role, file: &Path) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "other_process::in_this_role", "--nocapture", "--test-threads=1"])
            .env(ROLE, format!("{role:?}"))
            .env(FILE, file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        command
    }

    fn spawn(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// Lets a process go on that waits for it.
    pub(crate) fn go(&mut self) {
        self.child.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
    }

    /// The next thing it says; `None` once it has ended.
    pub(crate) fn line(&mut self) -> Option<String> {
        let mut said = self.lines.by_ref().map_while(Result::ok);
        said.find_map(|line| line.split_once(MARK).map(|(_, said)| said.to_owned()))
    }

    /// Ends it as `kill -9` does, and returns what it had still said.
    pub(crate) fn kill(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        std::iter::from_fn(|| self.line()).collect()
    }
}

impl Drop for OtherProcess {
    fn drop(&mut self) {
        // An error means that it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn in_this_role() {
    let (Ok(role), Ok(file)) = (std::env::var(ROLE), std::env::var(FILE)) else { return };
    let open = || Sqlite::open(one_lane(Path::new(&file)), Seam::system());
    match role.as_str() {
        "Open" => match open().await {
            Ok(_) => say("opened"),
            Err(error) => say(error),
        },
        "Make" => {
            told();
            let store = open().await.unwrap();
            say(format!("{:?} {}", store.heads().await.unwrap().epoch, store.lanes()));
        }
        "PublishOne" => {
            let store = open().await.unwrap();
            say("ready");
            told();
            store.append(&[event_with(Uuid::now_v7(), "{}")]).await.unwrap();
        }
        "PublishOn" => {
            let store = open().await.unwrap();
            loop {
                let event = event_with(Uuid::now_v7(), "{}");
                store.append(std::slice::from_ref(&event)).await.unwrap();
                say(event.id);
            }
        }
        "PublishSame" => {
            let store = open().await.unwrap();
            say("ready");
            told();
            for id in 1..=SAME {
                let stored = store.append(&[event_with(Uuid::from_u128(id), "{}")]).await.unwrap();
                say(if stored[0].duplicate { "duplicate" } else { "first" });
            }
        }
        role => panic!("there is no role {role}"),
    }
}

fn say(what: impl std::fmt::Display) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{MARK}{what}").unwrap();
    out.flush().unwrap();
}

fn told() {
    std::io::stdin().lock().read_line(&mut String::new()).unwrap();
}
