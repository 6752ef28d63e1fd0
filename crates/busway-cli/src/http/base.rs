use std::{fmt, str::FromStr};

/// The address of a server: `http://host:port`, without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Base(String);

/// Where a server listens unless it is told otherwise.
const PORT: u16 = 2870;

impl Base {
    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Base {
    type Err = String;

    /// Reads `http://host:port`, `host:port`, `host` and `:port`.
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.starts_with("https://") {
            return Err(format!("{text}: https is not in this version; put a proxy before it, or use http://"));
        }
        let place = text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/');
        let (authority, path) = place.split_at(place.find('/').unwrap_or(place.len()));
        let authority = match authority {
            "" => return Err(format!("{text:?} is no address; write http://127.0.0.1:{PORT}")),
            port if port.starts_with(':') => format!("127.0.0.1{port}"),
            host if host.rfind(':') <= host.rfind(']') => format!("{host}:{PORT}"),
            whole => whole.to_owned(),
        };
        match format!("http://{authority}{path}/").parse::<hyper::Uri>() {
            Ok(uri) if uri.port_u16().is_some() => Ok(Self(format!("http://{authority}{path}"))),
            _ => Err(format!("{text:?} is no address; write http://127.0.0.1:{PORT}")),
        }
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Base;

    #[test]
    fn an_address_may_be_written_short() {
        let read = |text: &str| text.parse::<Base>().map(|base| base.0);
        for (short, whole) in [
            ("http://127.0.0.1:2870/", "http://127.0.0.1:2870"),
            ("127.0.0.1:2871", "http://127.0.0.1:2871"),
            (":2871", "http://127.0.0.1:2871"),
            ("bus.internal", "http://bus.internal:2870"),
            ("[::1]", "http://[::1]:2870"),
            ("[::1]:80", "http://[::1]:80"),
            ("http://proxy/bus/", "http://proxy:2870/bus"),
        ] {
            assert_eq!(read(short).as_deref(), Ok(whole));
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for odd in ["", "http://", ":port", ":99999", "ftp://x", "a b", "https://bus"] {
            assert!(odd.parse::<Base>().is_err(), "{odd:?}");
        }
    }
}
