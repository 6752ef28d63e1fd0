//! A running server, private or given.

use std::{env, io, path::PathBuf, sync::OnceLock};

use super::{
    USER, VARIABLE, binaries,
    builder::{Builder, follow},
    client,
    database::{Database, new_name},
    given::Given,
};
use crate::{
    missing, port,
    process::{Process, Signal},
    url,
};

/// A PostgreSQL server. Whoever owns one may stop it; the shared one runs until its process ends.
#[derive(Debug)]
pub struct Server {
    /// Of the database `postgres`, or the one that was given.
    url: String,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Private { process: Box<Process>, port: u16 },
    Given(Given),
}

impl Server {
    /// The server that all tests of this process share: the one that [`VARIABLE`] names, else a private one, started at
    /// the first call. `None`, and said by [`missing::report`], where no PostgreSQL is installed.
    ///
    /// # Panics
    /// When it does not start, with its own words.
    #[track_caller]
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Server>> = OnceLock::new();
        let start = || match env::var(VARIABLE) {
            Ok(url) if !url.is_empty() => {
                let given = Given::new(&url);
                Some(Self { url, place: Place::Given(given) })
            }
            _ => binaries::folder().map(|_| {
                Self::builder().start_installed().unwrap_or_else(|error| panic!("PostgreSQL does not start: {error}"))
            }),
        };
        let shared = SHARED.get_or_init(start).as_ref();
        if shared.is_none() {
            missing::report("postgres", "no PostgreSQL 14 or newer is installed");
        }
        shared
    }

    /// The one database of the [shared](Self::shared) server that tests of this process share, each in a schema of its own.
    ///
    /// # Panics
    /// When the server does not start or refuses.
    #[track_caller]
    pub fn shared_database() -> Option<&'static Database> {
        static SHARED: OnceLock<Database> = OnceLock::new();
        Self::shared().map(|server| SHARED.get_or_init(|| server.database()))
    }

    /// A private server of its own, with the usual settings; see [`Builder::start`].
    #[track_caller]
    pub fn start() -> Option<Self> {
        Self::builder().start()
    }

    /// A private server with settings of its own.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// A hot standby: a server of its own that follows this one until it is promoted, by `select pg_promote()`, and can be
    /// read from meanwhile. Its settings are those of this server. It replicates asynchronously until this server's
    /// `synchronous_standby_names` is set to `*`.
    ///
    /// # Panics
    /// When it cannot be made or does not start, and for a server that was given.
    #[must_use]
    pub fn standby(&self) -> Self {
        assert!(matches!(self.place, Place::Private { .. }), "a server that was given is not ours to copy");
        follow(&self.url).unwrap_or_else(|error| panic!("no standby of {}: {error}", self.url))
    }

    /// In a folder that lies ready.
    pub(super) fn start_in(process: Process) -> io::Result<Self> {
        let mut server = Self { url: String::new(), place: Place::Private { process: Box::new(process), port: 0 } };
        port::with_free(|free| {
            server.url = format!("postgres://{USER}@127.0.0.1:{free}/postgres");
            *server.process().1 = free;
            server.run()
        })?;
        Ok(server)
    }

    fn process(&mut self) -> (&mut Process, &mut u16) {
        match &mut self.place {
            Place::Private { process, port } => (process, port),
            Place::Given(_) => panic!("a server that was given is not ours to stop or start"),
        }
    }

    /// Starts it and waits until it answers.
    fn run(&mut self) -> io::Result<()> {
        let url = self.url.clone();
        let (process, port) = self.process();
        let mut command = process.command(&binaries::program("postgres"))?;
        command.arg("-D").arg(process.folder().join("data")).args(["-p", &port.to_string()]);
        process.start_and_wait(command, Signal::QUIT, || client::answers(&url))
    }

    /// A new, empty database, made from `template0`.
    ///
    /// # Panics
    /// When the server refuses.
    #[must_use]
    pub fn database(&self) -> Database {
        self.database_with("template template0")
    }

    /// A new database with these options of `CREATE DATABASE`, such as `template template0 lc_collate 'en_US.utf8'`.
    ///
    /// # Panics
    /// When the server refuses.
    #[must_use]
    pub fn database_with(&self, options: &str) -> Database {
        let name = new_name();
        client::run(&self.url, &format!("create database {name} {options}"))
            .unwrap_or_else(|error| panic!("cannot create a database at {}: {error}", self.url));
        if let Place::Given(given) = &self.place {
            given.drop_at_the_end(&name);
        }
        Database { url: self.url(&name), name }
    }

    /// The URL of a database of this server, whether there is one of that name or not.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        url::with_database(&self.url, database)
    }

    /// Its `host:port`.
    #[must_use]
    pub fn address(&self) -> &str {
        url::address(&self.url)
    }

    /// Where a program of PostgreSQL is: `psql`, `pgbench`, `pg_dump`, `pg_restore`. Only its name, to be found in the
    /// `PATH`, where it does not lie beside the server's.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        binaries::program(name)
    }

    /// The data folder; `None` for a server that was given.
    #[must_use]
    pub fn data(&self) -> Option<PathBuf> {
        match &self.place {
            Place::Private { process, .. } => Some(process.folder().join("data")),
            Place::Given(_) => None,
        }
    }

    /// All that the server has written to its log since it was made; empty for a server that was given.
    #[must_use]
    pub fn log(&self) -> String {
        match &self.place {
            Place::Private { process, .. } => process.log(),
            Place::Given(_) => String::new(),
        }
    }

    /// Stops it as a crash would (`pg_ctl stop -m immediate`), and waits until it is gone.
    ///
    /// # Panics
    /// When it cannot be stopped.
    pub fn stop_immediate(&mut self) {
        self.stop(Signal::QUIT);
    }

    /// Cuts every connection and stops in order (`pg_ctl stop -m fast`), and waits until it is gone.
    ///
    /// # Panics
    /// When it cannot be stopped.
    pub fn stop_fast(&mut self) {
        self.stop(Signal::INT);
    }

    fn stop(&mut self, signal: Signal) {
        self.process().0.stop(signal).unwrap_or_else(|error| panic!("cannot stop PostgreSQL: {error}"));
    }

    /// Starts it again on the same port with the same data, and waits until it answers; nothing if it runs.
    ///
    /// # Panics
    /// When it does not start, with its own words.
    pub fn start_again(&mut self) {
        if !self.process().0.runs() {
            self.run().unwrap_or_else(|error| panic!("PostgreSQL does not start again: {error}"));
        }
    }
}
