//! What outlives a process to end what it has started.
//!
//! A shell reads from a pipe whose other end only this process has. When this process ends, however that is, the pipe
//! ends, and the shell does what it is there for.

use std::{
    io::Write,
    os::unix::process::CommandExt,
    process::{Child, ChildStdin, Command, Stdio},
};

/// The shell and our end of its pipe.
#[derive(Debug)]
pub(crate) struct Watcher {
    shell: Child,
    pipe: Option<ChildStdin>,
}

impl Watcher {
    /// Starts a shell with this script, which finds `arguments` as `$1` and on.
    pub(crate) fn start(script: &str, arguments: &[&str]) -> Self {
        let mut shell = Command::new("sh")
            .args(["-c", script, "watcher"])
            .args(arguments)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // What a terminal sends to the tests must not reach who clears up after them.
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start a shell: {error}"));
        let pipe = shell.stdin.take();
        Self { shell, pipe }
    }

    /// Gives the script a line to read.
    pub(crate) fn tell(&mut self, line: &str) {
        if let Some(pipe) = &mut self.pipe {
            writeln!(pipe, "{line}").unwrap_or_else(|error| panic!("the watcher is gone: {error}"));
        }
    }
}

/// Lets the script do its work now, and waits for it.
impl Drop for Watcher {
    fn drop(&mut self) {
        self.pipe = None;
        let _ = self.shell.wait();
    }
}
