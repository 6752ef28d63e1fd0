use std::{path::PathBuf, time::Duration};

use busway_core::{Error, ErrorKind, Result};

/// Lanes of a log whose configuration names none.
pub(super) const DEFAULT_LANES: u16 = 8;
const MOST_LANES: u16 = 1_024;
const MOST_READERS: usize = 64;
const OPTIONS: &str = "`synchronous`, `lanes`, `readers`, `busyTimeoutMs`, `maxSize` and `networkFileSystem`";

/// What a commit waits for before it is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Synchronous {
    /// Until the disk has it: an acknowledged event survives a crash of the machine.
    #[default]
    Full,
    /// Until the operating system has it: the newest events may be lost in a crash of the machine, never in a
    /// crash of the process.
    Normal,
    /// As [`Normal`](Self::Normal), and a crash of the machine may damage the file.
    Off,
}

impl Synchronous {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Normal => "normal",
            Self::Off => "off",
        }
    }
}

/// Where a SQLite store lies and how it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The database file; it and its folders are made if missing. `sqlite:<path>`
    pub path: PathBuf,
    /// What a commit waits for. `?synchronous=full|normal|off`
    pub synchronous: Synchronous,
    /// How many lanes the log has, 1 to 1,024; fixed when it is made, 8 unless said. Another number than the
    /// log was made with is refused. `?lanes=4`
    pub lanes: Option<u16>,
    /// Threads that read, 1 to 64. `?readers=4`
    pub readers: usize,
    /// How long a write waits while another process writes. `?busyTimeoutMs=10000`
    pub busy_timeout: Duration,
    /// The size in bytes that the file may reach; beyond it publishing is refused as on a full disk.
    /// `?maxSize=1000000000`
    pub max_size: Option<u64>,
    /// True if a network file system is taken, on the caller's word that only this host uses the file and that
    /// its locks and shared memory work. `?networkFileSystem=allow`
    pub network_file_system: bool,
}

impl Config {
    /// The defaults for a file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            synchronous: Synchronous::default(),
            lanes: None,
            readers: 4,
            busy_timeout: Duration::from_secs(10),
            max_size: None,
            network_file_system: false,
        }
    }

    /// From `sqlite:path` or `sqlite://path`, options after a `?` and joined by `&`. The path is taken as it
    /// stands, up to the first `?`.
    pub fn from_url(url: &str) -> Result<Self> {
        let rest = url.strip_prefix("sqlite:").ok_or_else(|| {
            invalid(format!("`{url}` does not start with `sqlite:`; it looks like `sqlite:busway-data/busway.db`"))
        })?;
        let (path, options) = rest.split_once('?').unwrap_or((rest, ""));
        let path = path.strip_prefix("//").unwrap_or(path);
        if path.contains(":memory:") || options.split('&').any(|option| option == "mode=memory") {
            return Err(invalid(
                "SQLite in memory is not offered; use `memory:` for a store that ends with the process",
            ));
        }
        let mut config = Self::new(path);
        for option in options.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            config.set(name, value)?;
        }
        config.check()?;
        Ok(config)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<()> {
        match name {
            "synchronous" => self.synchronous = synchronous(value)?,
            "lanes" => self.lanes = Some(number(name, value)?),
            "readers" => self.readers = number(name, value)?,
            "busyTimeoutMs" => self.busy_timeout = Duration::from_millis(number(name, value)?),
            "maxSize" => self.max_size = Some(number(name, value)?),
            "networkFileSystem" => self.network_file_system = allowed(name, value)?,
            _ => return Err(invalid(format!("`{name}` is no option of SQLite; there are {OPTIONS}"))),
        }
        Ok(())
    }

    /// Checks the ranges.
    pub(super) fn check(&self) -> Result<()> {
        if self.path.as_os_str().is_empty() {
            return Err(invalid("the path of the SQLite file is empty; it looks like `sqlite:busway-data/busway.db`"));
        }
        if let Some(lanes) = self.lanes.filter(|lanes| !(1..=MOST_LANES).contains(lanes)) {
            return Err(invalid(format!("{lanes} lanes are outside 1 to {MOST_LANES}")));
        }
        if !(1..=MOST_READERS).contains(&self.readers) {
            return Err(invalid(format!("{} readers are outside 1 to {MOST_READERS}", self.readers)));
        }
        Ok(())
    }
}

fn synchronous(value: &str) -> Result<Synchronous> {
    match value {
        "full" => Ok(Synchronous::Full),
        "normal" => Ok(Synchronous::Normal),
        "off" => Ok(Synchronous::Off),
        _ => Err(invalid(format!("`synchronous={value}` is none of full, normal and off"))),
    }
}

fn allowed(name: &str, value: &str) -> Result<bool> {
    match value {
        "allow" => Ok(true),
        "refuse" => Ok(false),
        _ => Err(invalid(format!("`{name}={value}` is neither allow nor refuse"))),
    }
}

fn number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T> {
    value.parse().map_err(|_| invalid(format!("`{name}={value}` is no whole number in its range")))
}

pub(super) fn invalid(detail: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidConfiguration, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(url: &str) -> String {
        let error = Config::from_url(url).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
        error.detail().to_owned()
    }

    #[test]
    fn a_path_may_be_relative_absolute_and_behind_slashes() {
        for (url, path) in [
            ("sqlite:busway.db", "busway.db"),
            ("sqlite:/var/lib/busway.db", "/var/lib/busway.db"),
            ("sqlite://data/busway.db", "data/busway.db"),
            ("sqlite:///var/lib/busway.db?lanes=2", "/var/lib/busway.db"),
        ] {
            assert_eq!(Config::from_url(url).unwrap().path, PathBuf::from(path), "{url}");
        }
    }

    #[test]
    fn every_option_is_read() {
        let url =
            "sqlite:a.db?synchronous=normal&lanes=4&readers=2&busyTimeoutMs=50&maxSize=4096&networkFileSystem=allow";
        let config = Config::from_url(url).unwrap();
        let wanted = Config {
            path: "a.db".into(),
            synchronous: Synchronous::Normal,
            lanes: Some(4),
            readers: 2,
            busy_timeout: Duration::from_millis(50),
            max_size: Some(4096),
            network_file_system: true,
        };
        assert_eq!(config, wanted);
    }

    #[test]
    fn memory_is_refused_with_the_way_out() {
        for url in ["sqlite::memory:", "sqlite://:memory:", "sqlite:a.db?mode=memory"] {
            assert!(refusal(url).contains("use `memory:`"), "{url}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        for (url, names) in [
            ("postgres://x", "sqlite:"),
            ("sqlite:", "path"),
            ("sqlite:a.db?lane=4", "`lane` is no option"),
            ("sqlite:a.db?lanes=0", "0 lanes"),
            ("sqlite:a.db?lanes=many", "`lanes=many`"),
            ("sqlite:a.db?readers=0", "0 readers"),
            ("sqlite:a.db?synchronous=extra", "`synchronous=extra`"),
            ("sqlite:a.db?networkFileSystem=yes", "`networkFileSystem=yes`"),
        ] {
            let detail = refusal(url);
            assert!(detail.contains(names), "{url}: {detail}");
        }
    }
}
