//! PgBouncer in transaction mode in front of a PostgreSQL.

use std::{
    env, io,
    path::{Path, PathBuf},
};

use tokio_postgres::{Config, config::Host};

use crate::{
    missing, port,
    postgres::{Database, Server, USER, client},
    process::{Process, Signal},
    url,
};

/// A private PgBouncer; it stops when it is dropped. Every database of its server can be reached through it.
#[derive(Debug)]
pub struct PgBouncer {
    address: String,
    /// Held for what its end does.
    _process: Process,
}

impl PgBouncer {
    /// In transaction mode, otherwise as PgBouncer comes. `None`, and said by [`missing::report`], where it is not
    /// installed.
    ///
    /// # Panics
    /// When it does not start, with its own words.
    #[track_caller]
    pub fn start(server: &Server) -> Option<Self> {
        Self::start_with(server, &[])
    }

    /// With further lines of its section `[pgbouncer]`; of two for one name the later counts.
    ///
    /// # Panics
    /// When it does not start, with its own words.
    #[track_caller]
    pub fn start_with(server: &Server, settings: &[(&str, &str)]) -> Option<Self> {
        let Some(program) = program() else {
            missing::report("pgbouncer", "no PgBouncer is installed");
            return None;
        };
        Some(start(&program, server, settings).unwrap_or_else(|error| panic!("PgBouncer does not start: {error}")))
    }

    /// The URL of this database through the pooler.
    #[must_use]
    pub fn url(&self, database: &Database) -> String {
        url::with_address(&database.url, &self.address)
    }

    /// The URL of its console, which takes `show pools` and the like by the simple protocol.
    #[must_use]
    pub fn console(&self) -> String {
        format!("postgres://{USER}@{}/pgbouncer", self.address)
    }
}

fn program() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders.map(|folder| folder.join("pgbouncer")).find(|program| program.is_file())
}

fn start(program: &Path, server: &Server, settings: &[(&str, &str)]) -> io::Result<PgBouncer> {
    let mut process = Process::prepare("pgbouncer")?;
    let url = server.url("postgres");
    let behind = url.parse().map_err(io::Error::other)?;
    let file = process.folder().join("pgbouncer.ini");
    process.write(&process.folder().join("users"), users(&behind).as_bytes())?;
    let address = port::with_free(|port| {
        process.write(&file, configuration(&behind, port, settings).as_bytes())?;
        let address = format!("127.0.0.1:{port}");
        let mut command = process.command(program)?;
        command.arg(&file);
        process
            .start_and_wait(command, Signal::KILL, || client::run(&url::with_address(&url, &address), "select 1"))?;
        Ok(address)
    })?;
    Ok(PgBouncer { address, _process: process })
}

/// Who may come in, without a password: our user, and whom the server was given with.
fn users(behind: &Config) -> String {
    let given = behind.get_user().filter(|user| *user != USER);
    [USER].into_iter().chain(given).map(|user| format!("\"{user}\" \"\"\n")).collect()
}

fn configuration(behind: &Config, port: u16, settings: &[(&str, &str)]) -> String {
    let host = match behind.get_hosts() {
        [Host::Tcp(host), ..] => host.clone(),
        [Host::Unix(folder), ..] => folder.display().to_string(),
        [] => "127.0.0.1".to_owned(),
    };
    let mut to = format!("host={host} port={}", behind.get_ports().first().unwrap_or(&5432));
    if let Some(password) = behind.get_password() {
        to += &format!(" password='{}'", String::from_utf8_lossy(password).replace('\'', "''"));
    }
    let port = port.to_string();
    let ours = [
        ("listen_addr", "127.0.0.1"),
        ("listen_port", &port),
        ("unix_socket_dir", ""),
        ("auth_type", "trust"),
        ("auth_file", "users"),
        ("admin_users", USER),
        ("pool_mode", "transaction"),
    ];
    let lines = ours.iter().chain(settings).map(|(name, value)| format!("{name} = {value}\n"));
    format!("[databases]\n* = {to}\n[pgbouncer]\n{}", lines.collect::<String>())
}
