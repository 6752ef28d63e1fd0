//! Which server a command talks to.

use std::time::Duration;

use hyper::Method;
use serde::Deserialize;
use tokio::time::timeout;

use crate::{
    address_file::ServerAddress,
    arguments::Shared,
    config::{self, Config, Source},
    embedded::Embedded,
    failure::Failure,
    http::{Base, Client},
    store,
};

/// A server to talk to, which may live in this very process.
#[derive(Debug)]
pub(crate) struct Reach {
    /// The way to it.
    pub(crate) client: Client,
    embedded: Option<Embedded>,
}

impl Reach {
    /// The server that is named; else the one that runs on the data folder; else the store in that folder,
    /// opened by this process; else the default address.
    pub(crate) async fn find(shared: &Shared) -> Result<Self, Failure> {
        if let Some(named) = shared.server.as_deref().filter(|named| !named.is_empty()) {
            let found_by =
                if std::env::var("BUSWAY_URL").is_ok_and(|url| url == named) { "BUSWAY_URL" } else { "--server" };
            let base = named.parse().map_err(|why| Failure::usage(format!("{found_by} {why}")))?;
            return Ok(Self::remote(base, found_by));
        }
        if let Some(base) = running_on(shared).await {
            return Ok(Self::remote(base, "running"));
        }
        let config = config::load(&Source { file: shared.config.clone(), flags: Vec::new() })?;
        if store::exists(&config.backend, &shared.data)? {
            let embedded = Embedded::open(&config, &shared.data).await?;
            return Ok(Self { client: Client::new(embedded.base(), "this process"), embedded: Some(embedded) });
        }
        Self::by_default(&config)
    }

    fn by_default(config: &Config) -> Result<Self, Failure> {
        let found_by = if config.server.listen == config::LISTEN { "default" } else { "configured" };
        let base =
            config.server.listen.parse().map_err(|why| Failure::configuration(format!("`server.listen` {why}")))?;
        Ok(Self::remote(base, found_by))
    }

    fn remote(base: Base, found_by: &'static str) -> Self {
        Self { client: Client::new(base, found_by), embedded: None }
    }

    /// True if the store is opened by this process.
    pub(crate) fn is_embedded(&self) -> bool {
        self.embedded.is_some()
    }

    /// Ends what was opened for it.
    pub(crate) async fn close(self) {
        if let Some(embedded) = self.embedded {
            embedded.close().await;
        }
    }
}

/// The server whose address stands in the data folder, if it answers.
async fn running_on(shared: &Shared) -> Option<Base> {
    let base: Base = ServerAddress::read(&shared.data)?.url.parse().ok()?;
    greet(&base).await.map(|_| base)
}

/// What a Busway server says of itself.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Greeting {
    /// Its version.
    pub(crate) version: String,
    /// Its process.
    pub(crate) pid: u32,
}

/// Asks who is at an address; `None` if nobody or another program is.
pub(crate) async fn greet(base: &Base) -> Option<Greeting> {
    let client = Client::new(base.clone(), "asked");
    let answer = timeout(Duration::from_secs(3), client.send(Method::GET, "/healthz", None)).await.ok()?.ok()?;
    answer.json().ok()
}
