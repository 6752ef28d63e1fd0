use std::{path::Path, time::Duration};

use tokio::{net::TcpStream, time::timeout};

use crate::{address_file::ServerAddress, failure::Failure, http::Base, reach::greet};

/// The failure that says who listens on an address already; `None` if nobody does.
pub(super) async fn held(listen: &str) -> Option<Failure> {
    let base: Base = listen.parse().ok()?;
    let place = base.as_str().strip_prefix("http://")?.to_owned();
    timeout(Duration::from_secs(1), TcpStream::connect(&place)).await.ok()?.ok()?;
    let next = place.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok()?.checked_add(1)).unwrap_or(2871);
    let headline = match greet(&base).await {
        Some(who) => format!("{place} is held by busway {}, pid {}; use it, or --listen :{next}", who.version, who.pid),
        None => format!("{place} is held by another program; --listen :{next}"),
    };
    Some(Failure::refused("address_in_use", headline))
}

/// The server whose address stands in a data folder, if it answers.
pub(super) async fn running_on(data: &Path) -> Option<ServerAddress> {
    let address = ServerAddress::read(data)?;
    let greeting = greet(&address.url.parse().ok()?).await?;
    (greeting.pid == address.pid).then_some(address)
}
