use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// Between two looks whether a server is ready.
const LOOK: Duration = Duration::from_millis(1);
const PATIENCE: Duration = Duration::from_secs(30);

/// A server that has just become ready, on an empty log.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    /// From before its process was made until it answered that it is ready.
    pub(crate) ready_after: Duration,
    _folder: TempDir,
}

impl Server {
    /// On SQLite.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// With these variables.
    pub(crate) fn start_with(variables: &[(&str, &str)]) -> Self {
        let folder = match std::env::var_os("BUSWAY_BENCH_DIR") {
            Some(folder) => tempfile::tempdir_in(folder),
            None => tempfile::tempdir(),
        };
        let folder = folder.unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut command = busway();
        command.args(["serve", "--listen", &address.to_string(), "--data"]).arg(folder.path().join("data"));
        command.current_dir(folder.path()).stderr(Stdio::null()).envs(variables.iter().copied());
        let begun = Instant::now();
        let mut child = command.spawn().unwrap();
        while !is_ready(address).unwrap_or(false) {
            assert!(begun.elapsed() < PATIENCE && child.try_wait().unwrap().is_none(), "the server does not get ready");
            thread::sleep(LOOK);
        }
        Self { child, address, ready_after: begun.elapsed(), _folder: folder }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Processor time of the threads that now live, by Linux's count.
    pub(crate) fn processor_time(&self) -> Duration {
        let threads = fs::read_dir(self.proc("task")).unwrap().flatten();
        let used = threads.filter_map(|thread| {
            let stat = fs::read_to_string(thread.path().join("schedstat")).ok()?;
            stat.split_ascii_whitespace().next()?.parse::<u64>().ok()
        });
        Duration::from_nanos(used.sum())
    }

    /// Resident memory in MiB, by Linux's count.
    pub(crate) fn resident(&self) -> f64 {
        let status = fs::read_to_string(self.proc("status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
    }

    fn proc(&self, file: &str) -> String {
        format!("/proc/{}/{file}", self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// The binary, told nothing by this process's environment.
pub(crate) fn busway() -> Command {
    let mut command = Command::new(Path::new(env!("CARGO_BIN_EXE_busway")));
    command.env_clear();
    command
}

fn is_ready(address: SocketAddr) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.starts_with("HTTP/1.1 200"))
}
