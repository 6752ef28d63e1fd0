use std::time::Duration;

use busway_core::{Error, ErrorKind, Result};
use tokio_postgres::config::{Host, TargetSessionAttrs};

use super::{
    error::chain,
    names::Names,
    tls::{self, Tls},
    url::Url,
};

/// Lanes of a log whose configuration names none.
pub(super) const DEFAULT_LANES: u16 = 8;
const MOST_LANES: u16 = 1_024;
const MOST_CONNECTIONS: usize = 1_000;
/// Busway's own parameters of a URL.
const OPTIONS: &str = "`schema`, `lanes`, `pool`, `listen`, `deadlineMs`, `partBytes`, `sslmode`, \
                       `sslrootcert`, `sslcert` and `sslkey`";
/// Parameters of libpq that are taken as they are.
const NATIVE: &[&str] = &[
    "user",
    "password",
    "dbname",
    "host",
    "hostaddr",
    "port",
    "options",
    "application_name",
    "connect_timeout",
    "tcp_user_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "target_session_attrs",
    "channel_binding",
    "load_balance_hosts",
    "sslnegotiation",
];

/// Where notifications of other processes' appends are listened for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Listen {
    /// At the address of the store; where that is a pooler that passes no notifications on, it is polled.
    #[default]
    Same,
    /// At this host and port, which lead to the same server past a pooler.
    At(String, u16),
    /// Nowhere: the log is polled.
    Off,
}

/// Which clock tells when an event was stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StoredAt {
    /// The server's: one clock for all processes.
    #[default]
    Server,
    /// The seam's, so that a test can hold it.
    Seam,
}

/// Where a PostgreSQL store lies and how it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Address, database, user and the like.
    pub(super) native: tokio_postgres::Config,
    /// The schema that holds everything, made if missing: a lower-case letter, then those, digits and `_`, 48 at
    /// most. `?schema=busway`
    pub schema: String,
    /// How many lanes the log has, 1 to 1,024; fixed when it is made, 8 unless said. Another number than the
    /// log was made with is refused. `?lanes=4`
    pub lanes: Option<u16>,
    /// Most connections of this process, one for notifications apart, 2 to 1,000. `?pool=10`
    pub pool: usize,
    /// Where notifications are listened for. `?listen=host:port` or `?listen=off`
    pub listen: Listen,
    /// How long a statement may take; then its connection is dropped. `?deadlineMs=10000`
    pub deadline: Duration,
    /// Bytes, indexes included, after which a part of the log is closed and the next one begun.
    /// `?partBytes=10000000000`
    pub part_bytes: u64,
    /// Whether and how TLS is used. `?sslmode=verify-full&sslrootcert=ca.pem`
    pub tls: Tls,
    /// Which clock tells when an event was stored.
    pub stored_at: StoredAt,
}

impl Config {
    /// From `postgres://user:password@host:port/database?…`: libpq's parameters and Busway's own.
    ///
    /// Errors: `InvalidConfiguration`, naming the parameter.
    pub fn from_url(url: &str) -> Result<Self> {
        let url = Url::split(url)?;
        let mut native = Vec::new();
        let mut config = Self::new(tokio_postgres::Config::new());
        for (name, value) in url.parameters()? {
            if NATIVE.contains(&name.as_str()) {
                native.push(name);
            } else {
                config.set(&name, &value)?;
            }
        }
        config.native = url.without_others(&native).parse().map_err(unreadable)?;
        config.complete(native.iter().any(|name| name == "target_session_attrs"));
        config.check()?;
        Ok(config)
    }

    fn new(native: tokio_postgres::Config) -> Self {
        Self {
            native,
            schema: "busway".into(),
            lanes: None,
            pool: 10,
            listen: Listen::default(),
            deadline: Duration::from_secs(10),
            part_bytes: 10_000_000_000,
            tls: Tls::default(),
            stored_at: StoredAt::default(),
        }
    }

    fn set(&mut self, name: &str, value: &str) -> Result<()> {
        match name {
            "schema" => self.schema = value.into(),
            "lanes" => self.lanes = Some(number(name, value)?),
            "pool" => self.pool = number(name, value)?,
            "listen" => self.listen = listen(value)?,
            "deadlineMs" => self.deadline = Duration::from_millis(number(name, value)?),
            "partBytes" => self.part_bytes = number(name, value)?,
            "sslmode" => self.tls.mode = tls::mode(value)?,
            "sslrootcert" => self.tls.root_cert = Some(value.into()),
            "sslcert" => self.tls.cert = Some(value.into()),
            "sslkey" => self.tls.key = Some(value.into()),
            _ => {
                let native = NATIVE.join("`, `");
                return Err(invalid(format!(
                    "`{name}` is no parameter of a PostgreSQL URL; there are {OPTIONS}, and `{native}`"
                )));
            }
        }
        Ok(())
    }

    /// Sets what keeps a dead connection from being waited for, where the URL says nothing; and of several hosts the one
    /// that takes writes is used, unless it says otherwise.
    fn complete(&mut self, says_which_host: bool) {
        let is_one_of_several = self.hosts() > 1 && !says_which_host;
        let native = &mut self.native;
        if is_one_of_several {
            native.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        native.ssl_mode(self.tls.native_mode());
        if native.get_application_name().is_none() {
            native.application_name("busway");
        }
        if native.get_connect_timeout().is_none() {
            native.connect_timeout(Duration::from_secs(10));
        }
        if native.get_tcp_user_timeout().is_none() {
            native.tcp_user_timeout(self.deadline);
        }
        if native.get_keepalives_interval().is_none() {
            native.keepalives_idle(Duration::from_secs(15)).keepalives_interval(Duration::from_secs(5));
            native.keepalives_retries(3);
        }
    }

    /// Checks the ranges.
    pub(super) fn check(&self) -> Result<()> {
        Names::check(&self.schema)?;
        if self.native.get_hosts().is_empty() && self.native.get_hostaddrs().is_empty() {
            return Err(invalid(
                "the PostgreSQL URL names no host; it looks like `postgres://user@host:5432/database`",
            ));
        }
        let (hosts, addresses) = (self.native.get_hosts().len(), self.native.get_hostaddrs().len());
        if hosts > 0 && addresses > 0 && hosts != addresses {
            return Err(invalid(format!("the PostgreSQL URL names {hosts} hosts and {addresses} `hostaddr`")));
        }
        let ports = self.native.get_ports().len();
        if ports > 1 && ports != self.hosts() {
            return Err(invalid(format!("the PostgreSQL URL names {} hosts and {ports} ports", self.hosts())));
        }
        if self.native.get_target_session_attrs() == TargetSessionAttrs::ReadOnly {
            return Err(invalid("`target_session_attrs=read-only` leads to a server that takes no events"));
        }
        if let Some(lanes) = self.lanes.filter(|lanes| !(1..=MOST_LANES).contains(lanes)) {
            return Err(invalid(format!("`lanes={lanes}` is outside 1 to {MOST_LANES}")));
        }
        if !(2..=MOST_CONNECTIONS).contains(&self.pool) {
            return Err(invalid(format!("`pool={}` is outside 2 to {MOST_CONNECTIONS}", self.pool)));
        }
        if self.deadline.is_zero() {
            return Err(invalid("`deadlineMs=0` leaves no time for any statement"));
        }
        if self.part_bytes == 0 {
            return Err(invalid("`partBytes=0` leaves no room in any part of the log"));
        }
        self.tls.check()
    }

    fn hosts(&self) -> usize {
        self.native.get_hosts().len().max(self.native.get_hostaddrs().len())
    }

    /// How long it may take to connect to one host.
    pub(super) fn host_timeout(&self) -> Duration {
        self.native.get_connect_timeout().copied().unwrap_or(self.deadline)
    }

    /// How long it may take to connect, the last of all hosts being the one that answers.
    pub(super) fn connect_timeout(&self) -> Duration {
        self.host_timeout() * u32::try_from(self.hosts()).unwrap_or(u32::MAX)
    }

    /// The server and database, to be shown: `host:port/database`.
    pub fn place(&self) -> String {
        let port = |index: usize| self.native.get_ports().get(index).or(self.native.get_ports().first());
        let hosts = self.native.get_hosts().iter().enumerate().map(|(index, host)| match host {
            Host::Tcp(name) => format!("{name}:{}", port(index).unwrap_or(&5432)),
            Host::Unix(folder) => folder.display().to_string(),
        });
        let database = self.native.get_dbname().or(self.native.get_user()).unwrap_or_default();
        format!("{}/{database}", hosts.collect::<Vec<_>>().join(","))
    }

    /// The address at which to listen for notifications, if any.
    pub(super) fn listening(&self) -> Option<tokio_postgres::Config> {
        match &self.listen {
            Listen::Off => None,
            Listen::Same => Some(self.native.clone()),
            Listen::At(host, port) => Some(self.native_at(host, *port)),
        }
    }

    /// The same database, user and settings at another address.
    fn native_at(&self, host: &str, port: u16) -> tokio_postgres::Config {
        let mut at = nowhere(&self.native);
        at.host(host).port(port);
        at
    }

    /// One of each host of several.
    pub(super) fn each_host(&self, native: &tokio_postgres::Config) -> Vec<tokio_postgres::Config> {
        let (hosts, addresses, ports) = (native.get_hosts(), native.get_hostaddrs(), native.get_ports());
        let of = |index: usize| {
            let mut at = nowhere(native);
            match hosts.get(index) {
                Some(Host::Tcp(name)) => _ = at.host(name),
                Some(Host::Unix(folder)) => _ = at.host_path(folder),
                None => {}
            }
            addresses.get(index).map(|address| at.hostaddr(*address));
            ports.get(index).or(ports.first()).map(|port| at.port(*port));
            at.target_session_attrs(native.get_target_session_attrs());
            at
        };
        (0..hosts.len().max(addresses.len())).map(of).collect()
    }
}

/// The same database, user and settings without an address.
fn nowhere(native: &tokio_postgres::Config) -> tokio_postgres::Config {
    let mut at = tokio_postgres::Config::new();
    at.ssl_mode(native.get_ssl_mode()).ssl_negotiation(native.get_ssl_negotiation());
    at.channel_binding(native.get_channel_binding()).keepalives(native.get_keepalives());
    at.keepalives_idle(native.get_keepalives_idle());
    native.get_keepalives_interval().map(|interval| at.keepalives_interval(interval));
    native.get_keepalives_retries().map(|retries| at.keepalives_retries(retries));
    native.get_user().map(|user| at.user(user));
    native.get_password().map(|password| at.password(password));
    native.get_dbname().or(native.get_user()).map(|database| at.dbname(database));
    native.get_options().map(|options| at.options(options));
    native.get_application_name().map(|name| at.application_name(name));
    native.get_connect_timeout().map(|timeout| at.connect_timeout(*timeout));
    native.get_tcp_user_timeout().map(|timeout| at.tcp_user_timeout(*timeout));
    at
}

fn listen(value: &str) -> Result<Listen> {
    if value == "off" {
        return Ok(Listen::Off);
    }
    match value.rsplit_once(':').map(|(host, port)| (host, port.parse())) {
        Some((host, Ok(port))) if !host.is_empty() => Ok(Listen::At(host.into(), port)),
        _ => Err(invalid(format!(
            "`listen={value}` is neither `off` nor an address like `db.example:5432` that leads past the pooler"
        ))),
    }
}

fn unreadable(error: tokio_postgres::Error) -> Error {
    invalid(format!("the PostgreSQL URL cannot be read: {}", chain(&error))).with_source(error)
}

fn number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T> {
    value.parse().map_err(|_| invalid(format!("`{name}={value}` is no whole number in its range")))
}

pub(super) fn invalid(detail: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidConfiguration, detail)
}

#[cfg(test)]
mod tests;
