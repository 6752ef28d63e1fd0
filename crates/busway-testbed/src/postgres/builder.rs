//! What a private server is started with.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    path::PathBuf,
    process::Command,
};

use super::{USER, binaries, server::Server};
use crate::{certificates::Authority, missing, process::Process};

/// What tests want other than PostgreSQL's defaults. `fsync` and `synchronous_commit` stay on.
const SETTINGS: [(&str, &str); 3] =
    [("listen_addresses", "127.0.0.1"), ("max_connections", "300"), ("log_line_prefix", "%m [%p] %u@%d ")];

/// Settings and files of a server that is to be started.
#[derive(Debug, Default)]
pub struct Builder {
    settings: Vec<(String, String)>,
    files: Vec<(PathBuf, Vec<u8>)>,
}

impl Builder {
    /// A line of `postgresql.conf`; of two for one name the later counts.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A file of the data folder that the server alone can read, such as `pg_hba.conf` or `server.key`.
    #[must_use]
    pub fn file(mut self, name: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.push((name.into(), content.into()));
        self
    }

    /// TLS for those who ask for it, with a certificate of this authority for `localhost` and `127.0.0.1`; clients may
    /// show one of the same authority. Connections without TLS are taken too, unless `pg_hba.conf` says otherwise.
    #[must_use]
    pub fn tls(self, authority: &Authority) -> Self {
        let identity = authority.issue(&["localhost", "127.0.0.1"]);
        self.file("server.crt", identity.certificate)
            .file("server.key", identity.key)
            .file("root.crt", authority.certificate())
            .setting("ssl", "on")
            .setting("ssl_ca_file", "root.crt")
    }

    /// Starts it on a free port of 127.0.0.1; it stops when it is dropped. `None`, and said by [`missing::report`], where
    /// no PostgreSQL is installed.
    ///
    /// # Panics
    /// When it does not start, with its own words.
    #[track_caller]
    pub fn start(self) -> Option<Server> {
        if binaries::folder().is_none() {
            missing::report("postgres", "no PostgreSQL 14 or newer is installed");
            return None;
        }
        Some(self.start_installed().unwrap_or_else(|error| panic!("PostgreSQL does not start: {error}")))
    }

    pub(super) fn start_installed(self) -> io::Result<Server> {
        let process = Process::prepare("postgres")?;
        let data = process.folder().join("data");
        let mut initdb = process.command(&binaries::program("initdb"))?;
        initdb.args(["--no-sync", "--auth=trust", "--encoding=UTF8", "--no-locale", "--username", USER]).arg(&data);
        finish(initdb, &process)?;
        let socket = process.folder().to_string_lossy().into_owned();
        let settings = SETTINGS.into_iter().chain([("unix_socket_directories", socket.as_str())]);
        let given = self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let lines: String = settings.chain(given).map(|(name, value)| line(name, value)).collect();
        OpenOptions::new().append(true).open(data.join("postgresql.conf"))?.write_all(lines.as_bytes())?;
        for (name, content) in &self.files {
            process.write(&data.join(name), content)?;
        }
        Server::start_in(process)
    }
}

/// A copy of the server at this URL that follows it.
pub(super) fn follow(primary: &str) -> io::Result<Server> {
    let process = Process::prepare("standby")?;
    let data = process.folder().join("data");
    let mut copy = process.command(&binaries::program("pg_basebackup"))?;
    copy.args(["--no-sync", "--checkpoint=fast", "--write-recovery-conf", "--dbname", primary, "--pgdata"]).arg(&data);
    finish(copy, &process)?;
    let socket = process.folder().to_string_lossy().into_owned();
    let own = line("unix_socket_directories", &socket);
    OpenOptions::new().append(true).open(data.join("postgresql.conf"))?.write_all(own.as_bytes())?;
    Server::start_in(process)
}

/// One line of `postgresql.conf`.
fn line(name: &str, value: &str) -> String {
    format!("{name} = '{}'\n", value.replace('\'', "''"))
}

fn finish(mut command: Command, process: &Process) -> io::Result<()> {
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("{status}\n{}", process.log()))) }
}
