//! Who may call while there is no key: programs on this machine, and pages that this server itself gave out.
//!
//! A page of a foreign site can make a browser call 127.0.0.1, and can give its own name the address 127.0.0.1
//! (DNS rebinding). The first shows in `Origin`, the second in `Host`.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, Uri, header, uri::Authority},
    middleware::Next,
    response::Response,
};
use busway_core::ErrorKind;

use crate::problem::Problem;

/// The names that a request may bear in `Host` and `Origin`.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    hosts: Arc<[String]>,
}

/// Lets a request through, or answers in place of its route.
pub(crate) async fn check(State(access): State<Access>, request: Request, next: Next) -> Result<Response, Problem> {
    access.admit(request.uri(), request.headers())?;
    Ok(next.run(request).await)
}

impl Access {
    /// The loopback's names, and these.
    pub(crate) fn new(hosts: &[String]) -> Self {
        Self { hosts: hosts.iter().map(|host| host.to_ascii_lowercase()).collect() }
    }

    fn admit(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
        let host = only(headers, header::HOST)?.ok_or_else(|| forbidden("the request has no `Host`"))?;
        let host = authority(host).filter(|host| self.is_ours(host)).ok_or_else(|| stranger("Host", host))?;
        // A target in absolute form counts before `Host` (RFC 9112, 3.2.2).
        if let Some(target) = uri.authority().filter(|target| !self.is_ours(target)) {
            return Err(stranger("target", target.as_str()));
        }
        let Some(origin) = only(headers, header::ORIGIN)? else { return Ok(()) };
        let uri: Uri = origin.parse().map_err(|_| stranger("Origin", origin))?;
        let from = uri.authority().filter(|from| self.is_ours(from)).ok_or_else(|| stranger("Origin", origin))?;
        let usual = if uri.scheme_str() == Some("https") { 443 } else { 80 };
        if from.port_u16().unwrap_or(usual) == host.port_u16().unwrap_or(usual) {
            Ok(())
        } else {
            Err(stranger("Origin", origin))
        }
    }

    fn is_ours(&self, authority: &Authority) -> bool {
        let host = authority.host().to_ascii_lowercase();
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&host);
        let is_loopback = bare.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback());
        let has_user = authority.as_str().contains('@');
        !has_user && (is_loopback || host == "localhost" || self.hosts.contains(&host))
    }
}

fn only(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all(&name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(Problem::new(ErrorKind::BadRequest, format!("the request has more than one `{name}`")));
    }
    first.map(|value| value.to_str().map_err(|_| forbidden("the request's header is not ASCII"))).transpose()
}

fn authority(text: &str) -> Option<Authority> {
    text.parse().ok()
}

fn stranger(what: &str, name: &str) -> Problem {
    forbidden(format!(
        "{what} `{name}` is not this server: without keys it answers to this machine alone, as localhost or \
         127.0.0.1; more names by BUSWAY_SERVER_HOSTS"
    ))
}

fn forbidden(detail: impl Into<String>) -> Problem {
    Problem::new(ErrorKind::Forbidden, detail)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn admits(host: &str, origin: Option<&'static str>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_str(host).unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
        }
        let access = Access::new(&["bus.example".into()]);
        access.admit(&Uri::from_static("/api/events"), &headers).is_ok()
    }

    #[test]
    fn the_loopback_and_configured_names_are_let_in_with_any_port() {
        for host in [
            "localhost",
            "LOCALHOST:1",
            "127.0.0.1:2870",
            "127.8.9.10",
            "[::1]:2870",
            "[::ffff:127.0.0.1]",
            "bus.example:8080",
        ] {
            assert!(admits(host, None), "{host}");
        }
    }

    #[test]
    fn other_names_are_not_even_if_they_lead_here() {
        for host in [
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example:2870",
            "10.0.0.1",
            "0.0.0.0",
            "[::]",
            "",
            "127.0.0.1@evil.example",
            "evil.example@127.0.0.1",
            "2130706433",
            "a b",
        ] {
            assert!(!admits(host, None), "{host}");
        }
    }

    #[test]
    fn a_page_of_this_server_may_call_and_no_other() {
        assert!(admits("localhost:2870", Some("http://localhost:2870")));
        assert!(admits("127.0.0.1:2870", Some("http://localhost:2870")));
        assert!(admits("bus.example", Some("https://bus.example")));
        for origin in [
            "http://evil.example",
            "null",
            "http://localhost:3000",
            "http://localhost",
            "file://",
            "http://127.0.0.1.evil.example:2870",
        ] {
            assert!(!admits("localhost:2870", Some(origin)), "{origin}");
        }
    }

    #[test]
    fn two_hosts_or_none_are_refused() {
        let access = Access::new(&[]);
        let mut headers = HeaderMap::new();
        assert!(access.admit(&Uri::from_static("/"), &headers).is_err());
        headers.append(header::HOST, HeaderValue::from_static("localhost"));
        headers.append(header::HOST, HeaderValue::from_static("evil.example"));
        assert!(access.admit(&Uri::from_static("/"), &headers).is_err());
    }

    #[test]
    fn an_absolute_target_must_be_this_server_too() {
        let access = Access::new(&[]);
        let mut headers = HeaderMap::new();
        headers.append(header::HOST, HeaderValue::from_static("localhost"));
        assert!(access.admit(&Uri::from_static("http://evil.example/api/events"), &headers).is_err());
    }
}
