use std::{io, net::SocketAddr};

use busway_core::{Error, ErrorKind, Result};
use tokio::net::{TcpListener, lookup_host};

/// Opens the address that is configured; it must be this machine's alone.
pub(crate) async fn listen(address: &str) -> Result<TcpListener> {
    let full = if address.starts_with(':') { format!("127.0.0.1{address}") } else { address.to_owned() };
    let found: Vec<SocketAddr> = match lookup_host(&full).await {
        Ok(found) => found.collect(),
        Err(error) => return Err(unreadable(address).with_source(error)),
    };
    if let Some(wider) = found.iter().find(|found| !found.ip().to_canonical().is_loopback()) {
        return Err(Error::new(
            ErrorKind::InvalidConfiguration,
            format!(
                "`{address}` ({}) can be reached from other machines, and without any key everybody there would be admin; \
                 listen on 127.0.0.1 (BUSWAY_SERVER_LISTEN, --listen)",
                wider.ip()
            ),
        ));
    }
    if found.is_empty() {
        return Err(unreadable(address));
    }
    TcpListener::bind(&*found).await.map_err(|error| refused(address, error))
}

fn unreadable(address: &str) -> Error {
    let detail = format!("`{address}` is no address to listen on; one looks like 127.0.0.1:2870 or :2870");
    Error::new(ErrorKind::InvalidConfiguration, detail)
}

fn refused(address: &str, error: io::Error) -> Error {
    let (kind, detail) = match error.kind() {
        io::ErrorKind::AddrInUse => (
            ErrorKind::AddressInUse,
            format!("{address} is in use; use the server there, or listen elsewhere (--listen :2871)"),
        ),
        io::ErrorKind::PermissionDenied => (
            ErrorKind::InvalidConfiguration,
            format!("{address} may not be listened on by this user; ports below 1024 need rights"),
        ),
        _ => (ErrorKind::InvalidConfiguration, format!("{address} cannot be listened on: {error}")),
    };
    Error::new(kind, detail).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn kind_of(address: &str) -> Option<ErrorKind> {
        listen(address).await.err().map(|error| error.kind())
    }

    #[tokio::test]
    async fn addresses_of_this_machine_are_listened_on() {
        assert_eq!(kind_of("127.0.0.1:0").await, None);
        assert_eq!(kind_of("localhost:0").await, None);
        let short = listen(":0").await.unwrap();
        assert_eq!(short.local_addr().unwrap().ip().to_string(), "127.0.0.1");
    }

    #[tokio::test]
    async fn anything_wider_needs_a_key_first() {
        for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
            assert_eq!(kind_of(address).await, Some(ErrorKind::InvalidConfiguration), "{address}");
        }
    }

    #[tokio::test]
    async fn what_is_no_address_is_told() {
        for address in ["", "127.0.0.1", "127.0.0.1:http", "127.0.0.1:70000"] {
            assert_eq!(kind_of(address).await, Some(ErrorKind::InvalidConfiguration), "{address}");
        }
    }

    #[tokio::test]
    async fn an_address_in_use_is_told() {
        let first = listen("127.0.0.1:0").await.unwrap();
        let taken = first.local_addr().unwrap().to_string();
        assert_eq!(kind_of(&taken).await, Some(ErrorKind::AddressInUse));
    }
}
