use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
};

/// A server in a process of its own.
pub(crate) struct Server {
    child: Child,
    address: String,
}

impl Server {
    /// Starts on a folder and waits until it is ready; on a free port unless an address is given.
    pub(crate) fn start(folder: &Path, address: Option<&str>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_busway"));
        command.args(["serve", "--listen", address.unwrap_or("127.0.0.1:0"), "--data"]).arg(folder.join("data"));
        let mut child = command.current_dir(folder).env_clear().stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let mut said = String::new();
        let address = loop {
            let line = lines.next().unwrap_or_else(|| panic!("it ended: {said}"));
            if let Some(address) = line.strip_prefix("  api     http://").and_then(|rest| rest.strip_suffix("/api")) {
                break address.to_owned();
            }
            said.push_str(&line);
        };
        // Whatever else it says is shown, and its pipe does not fill up.
        thread::spawn(move || lines.for_each(|line| eprintln!("server: {line}")));
        Self { child, address }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have been killed already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
