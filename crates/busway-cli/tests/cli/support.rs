//! A folder to work in, servers that run there, and the binary's output.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

/// Longer than anything takes that is not broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A folder of its own, in which the binary runs.
pub(crate) struct Home {
    folder: TempDir,
}

/// How a run of the binary ended.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A run of the binary that goes on.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) out: Receiver<String>,
    pub(crate) err: Receiver<String>,
}

/// A server.
pub(crate) struct Server {
    pub(crate) run: Running,
    /// `host:port`.
    pub(crate) address: String,
    /// What it said until it was ready.
    pub(crate) banner: String,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, name: &str, content: &str) {
        std::fs::write(self.path().join(name), content).unwrap();
    }

    /// The binary in this folder, without any variable that it would look at.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_busway"));
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null());
        for (name, _) in std::env::vars() {
            if name.starts_with("BUSWAY_") || ["EVENT_BUS_TYPE", "DATABASE_URL"].contains(&name.as_str()) {
                command.env_remove(name);
            }
        }
        command.env("TZ", "UTC");
        command
    }

    /// Runs the binary until it ends.
    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        ended(&mut self.command(arguments))
    }

    /// Runs the binary, which must succeed; its data.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let done = self.run(arguments);
        assert_eq!(done.code, 0, "{arguments:?}: {done:?}");
        done.out
    }

    /// Runs the binary with `--json`, which must succeed; its data, one value a line.
    pub(crate) fn json(&self, arguments: &[&str]) -> Vec<Value> {
        let out = self.ok(&[arguments, &["--json"]].concat());
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Starts the binary and lets it go on.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        let mut child = self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (out, err) = (lines(child.stdout.take().unwrap()), lines(child.stderr.take().unwrap()));
        Running { child, out, err }
    }

    /// A server on a free port.
    pub(crate) fn serve(&self) -> Server {
        self.serve_on("127.0.0.1:0")
    }

    pub(crate) fn serve_on(&self, listen: &str) -> Server {
        let run = self.start(&["serve", "--listen", listen]);
        let (mut banner, mut address) = (String::new(), None);
        loop {
            let line = run.err.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no banner but {banner}"));
            banner.push_str(&line);
            banner.push('\n');
            address = line
                .strip_prefix("  api     http://")
                .and_then(|rest| rest.strip_suffix("/api"))
                .map(str::to_owned)
                .or(address);
            if let Some(address) = address.take_if(|_| line.contains(" publish ")) {
                return Server { run, address, banner };
            }
        }
    }
}

impl Running {
    /// The next line of data.
    pub(crate) fn line(&self) -> String {
        self.out.recv_timeout(PATIENCE).unwrap()
    }

    /// Waits for a line of talk with this in it.
    pub(crate) fn says(&self, what: &str) -> String {
        let mut said = String::new();
        loop {
            let line = self.err.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("nothing with {what:?} but {said}"));
            if line.contains(what) {
                return line;
            }
            said.push_str(&line);
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([format!("-{name}"), self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for its end; its exit code.
    pub(crate) fn wait(&mut self) -> i32 {
        self.child.wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.run.child.id()
    }

    /// Ends it gracefully; what it said from then on.
    pub(crate) fn stop(mut self) -> String {
        self.run.signal("TERM");
        assert_eq!(self.run.wait(), 0);
        self.run.err.iter().collect::<Vec<_>>().join("\n")
    }
}

pub(crate) fn ended(command: &mut Command) -> Done {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Done { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

/// The same, with something on its standard input.
pub(crate) fn fed(command: &mut Command, input: &str) -> Done {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Done { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

/// A port that nobody listens on.
pub(crate) fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}
