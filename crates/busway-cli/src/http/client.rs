use std::{fmt::Write, time::Duration};

use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header,
};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tokio::time::timeout;

use super::{Base, Problem};
use crate::failure::{Exit, Failure};

/// Longer than any call may wait on the server's side: a pull waits for 30 s at most.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server's address, and the connections to it.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    base: Base,
    found_by: &'static str,
    http: legacy::Client<HttpConnector, Full<Bytes>>,
}

/// What a server answered.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: StatusCode,
    /// The whole body.
    pub(crate) body: Bytes,
}

impl Client {
    /// A client of the server at `base`, which was found by `--server`, by default or otherwise.
    pub(crate) fn new(base: Base, found_by: &'static str) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(Duration::from_secs(5)));
        Self { base, found_by, http: legacy::Client::builder(TokioExecutor::new()).build(connector) }
    }

    /// The server's address.
    pub(crate) fn base(&self) -> &Base {
        &self.base
    }

    /// What stands under a path, as JSON.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.send(Method::GET, path, None).await?.json()
    }

    /// The same, of what may take the server this long to find out.
    pub(crate) async fn get_within<T: DeserializeOwned>(&self, patience: Duration, path: &str) -> Result<T, Failure> {
        let answer = self.call(patience, Method::GET, path, None).await?;
        if answer.status.is_success() { answer.json() } else { Err(answer.problem().into_failure()) }
    }

    /// Sends JSON to a path.
    pub(crate) async fn post(&self, path: &str, body: impl Into<Bytes>) -> Result<Answer, Failure> {
        self.send(Method::POST, path, Some(body.into())).await
    }

    /// One call; an answer that is no success is a failure.
    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<Bytes>) -> Result<Answer, Failure> {
        let answer = self.try_send(method, path, body).await?;
        if answer.status.is_success() { Ok(answer) } else { Err(answer.problem().into_failure()) }
    }

    /// One call, whatever it is answered.
    pub(crate) async fn try_send(&self, method: Method, path: &str, body: Option<Bytes>) -> Result<Answer, Failure> {
        self.call(PATIENCE, method, path, body).await
    }

    async fn call(
        &self,
        patience: Duration,
        method: Method,
        path: &str,
        body: Option<Bytes>,
    ) -> Result<Answer, Failure> {
        let mut request = Request::builder().method(method).uri(self.uri(path));
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let call = async {
            let response = self.request(request, body.unwrap_or_default()).await?;
            let status = response.status();
            match response.into_body().collect().await {
                Ok(body) => Ok(Answer { status, body: body.to_bytes() }),
                Err(_) => Err(self.lost()),
            }
        };
        timeout(patience, call).await.unwrap_or_else(|_| Err(self.lost()))
    }

    /// Opens a stream of server-sent events, after `last` if it is given.
    pub(crate) async fn stream(&self, path: &str, last: Option<&str>) -> Result<Response<Incoming>, Failure> {
        let mut request = Request::builder().uri(self.uri(path)).header(header::ACCEPT, "text/event-stream");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response =
            timeout(PATIENCE, self.request(request, Bytes::new())).await.unwrap_or_else(|_| Err(self.lost()))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let body = response.into_body().collect().await.map_err(|_| self.lost())?.to_bytes();
        Err(Answer { status, body }.problem().into_failure())
    }

    fn uri(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    async fn request(
        &self,
        request: hyper::http::request::Builder,
        body: Bytes,
    ) -> Result<Response<Incoming>, Failure> {
        let request = request.body(Full::new(body)).map_err(|error| Failure::usage(error.to_string()))?;
        self.http.request(request).await.map_err(|error| {
            if !error.is_connect() {
                return self.lost();
            }
            Failure::unreachable(format!("no server at {} ({}); busway serve, or --server", self.base, self.found_by))
        })
    }

    fn lost(&self) -> Failure {
        let detail = format!("the connection to {} ended before its answer: it may have been done or not", self.base);
        Failure::new(Exit::Unreachable, "outcome_unknown", detail)
    }
}

impl Answer {
    /// The body as JSON of this shape.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.body).map_err(unexpected)
    }

    /// The body as JSON text.
    pub(crate) fn raw(&self) -> Result<&RawValue, Failure> {
        serde_json::from_slice(&self.body).map_err(unexpected)
    }

    /// The problem that the answer tells.
    pub(crate) fn problem(&self) -> Problem {
        Problem::read(self.status, &self.body)
    }
}

fn unexpected(error: serde_json::Error) -> Failure {
    Failure::refused("no_busway", format!("the server's answer is not what was expected: {error}"))
}

/// `?name=value&…` of those that have a value, percent-encoded; empty if none has.
pub(crate) fn query<'a>(pairs: impl IntoIterator<Item = (&'a str, Option<&'a str>)>) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        let Some(value) = value else { continue };
        text.push(if text.is_empty() { '?' } else { '&' });
        text.push_str(name);
        text.push('=');
        text.push_str(&encoded(value));
    }
    text
}

/// The text as one segment of a path or one value of a query.
pub(crate) fn encoded(text: &str) -> String {
    let mut whole = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b':' | b'*') {
            whole.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(whole, "%{byte:02X}");
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_names_what_has_a_value() {
        assert_eq!(
            query([("type", Some("a.*")), ("tenant", None), ("key", Some("a b/ü"))]),
            "?type=a.*&key=a%20b%2F%C3%BC"
        );
        assert_eq!(query([("tenant", None)]), "");
    }
}
