use std::time::Duration;

/// Where the server listens and whom it lets in.
#[derive(Clone, Debug)]
pub struct Config {
    /// `host:port`, or `:port` on 127.0.0.1; port 0 takes a free one (`BUSWAY_SERVER_LISTEN`). Without any key
    /// it must be an address of this machine alone.
    pub listen: String,
    /// Names, without port, under which clients may also call: what a proxy on this machine puts into `Host`,
    /// and the pages that it serves into `Origin` (`BUSWAY_SERVER_HOSTS`).
    pub hosts: Vec<String>,
    /// How long requests may take to finish once the server is told to stop (`BUSWAY_SERVER_GRACE`).
    pub grace: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self { listen: "127.0.0.1:2870".into(), hosts: Vec::new(), grace: Duration::from_secs(10) }
    }
}
