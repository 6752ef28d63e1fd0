//! A running server and the calls that a test makes of it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use busway_core::{Clock, ManualClock, Seam, SeededRandom, Stores, SystemClock, Timestamp, memory::Memory};
use busway_engine::Engine;
use busway_server::{Config, Server};
use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap, Method, Request, Response,
    body::{Bytes, Incoming},
    client::conn::http1,
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::TcpStream, sync::oneshot, task::JoinHandle};

/// Longer than anything here takes, so that a test that hangs fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server over a memory backend of its own.
pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    pub(crate) engine: Engine,
    /// Dropped or told, the server stops.
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl TestServer {
    /// With the machine's clock.
    pub(crate) async fn start() -> Self {
        let seam = seam(Arc::new(SystemClock::new()));
        Self::over(Memory::with_lanes(seam.clone(), 4).stores(), seam, "127.0.0.1:0").await
    }

    /// With a clock that stands at 2026-01-31T12:00:00Z until it is told.
    pub(crate) async fn held() -> (Self, Arc<ManualClock>) {
        let start: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
        let clock = Arc::new(ManualClock::new(start));
        let seam = seam(clock.clone());
        (Self::over(Memory::with_lanes(seam.clone(), 4).stores(), seam, "127.0.0.1:0").await, clock)
    }

    /// Over a store that takes this many events and no more.
    pub(crate) async fn that_keeps(most_events: usize) -> Self {
        let seam = seam(Arc::new(SystemClock::new()));
        Self::over(Memory::new(seam.clone()).most_events(most_events).stores(), seam, "127.0.0.1:0").await
    }

    pub(crate) async fn over(stores: Stores, seam: Seam, listen: &str) -> Self {
        let engine = Engine::start(stores, busway_engine::Config::default(), seam).await.unwrap();
        let config = Config { listen: listen.into(), grace: Duration::from_secs(5), ..Config::default() };
        let server = Server::bind(engine.clone(), config).await.unwrap();
        let address = server.address();
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(server.run(async move {
            // An error means that the test is over.
            let _ = stopped.await;
        }));
        Self { address, engine, stop, serving }
    }

    /// Tells the server to stop, and gives what ends once it has.
    pub(crate) fn stop(self) -> JoinHandle<()> {
        drop(self.stop);
        self.serving
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], "").await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, &[], "").await
    }

    pub(crate) async fn post(&self, path: &str, body: impl ToString) -> Answer {
        self.send(Method::POST, path, &JSON, &body.to_string()).await
    }

    pub(crate) async fn put(&self, path: &str, body: impl ToString) -> Answer {
        self.send(Method::PUT, path, &JSON, &body.to_string()).await
    }

    pub(crate) async fn patch(&self, path: &str, body: impl ToString) -> Answer {
        self.send(Method::PATCH, path, &JSON, &body.to_string()).await
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl AsRef<[u8]>,
    ) -> Answer {
        let response = self.open(method, path, headers, body).await;
        let (parts, body) = response.into_parts();
        let text = tokio::time::timeout(PATIENCE, body.collect()).await.unwrap().unwrap().to_bytes();
        Answer { status: parts.status.as_u16(), headers: parts.headers, text: String::from_utf8(text.into()).unwrap() }
    }

    /// Sends a request and gives its answer as soon as the head is there.
    pub(crate) async fn open(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl AsRef<[u8]>,
    ) -> Response<Incoming> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(path);
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            request = request.header("host", self.address.to_string());
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::copy_from_slice(body.as_ref()))).unwrap();
        tokio::time::timeout(PATIENCE, sender.send_request(request)).await.unwrap().unwrap()
    }

    /// Publishes, and gives the ids.
    pub(crate) async fn publish(&self, events: Value) -> Vec<String> {
        let answer = self.post("/api/events", events).await;
        let published = answer.expect(201)["events"].as_array().unwrap().clone();
        published.iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect()
    }

    /// Makes a subscription of mode `pull` from the log's beginning.
    pub(crate) async fn subscribe(&self, name: &str, types: &[&str]) {
        let body = serde_json::json!({ "types": types, "start": "earliest" });
        self.put(&format!("/api/subscriptions/{name}"), body).await.expect(201);
    }

    /// Pulls up to `max` deliveries, and waits for the first.
    pub(crate) async fn pull(&self, name: &str, max: usize) -> Vec<Value> {
        let body = serde_json::json!({ "max": max, "waitMs": 10_000 });
        let answer = self.post(&format!("/api/subscriptions/{name}/pull"), body).await;
        answer.expect(200)["deliveries"].as_array().unwrap().clone()
    }

    /// Settles, and gives the statuses in the order sent.
    pub(crate) async fn settle(&self, name: &str, body: Value) -> Vec<String> {
        let answer = self.post(&format!("/api/subscriptions/{name}/settle"), body).await;
        let results = answer.expect(200)["results"].as_array().unwrap().clone();
        results.iter().map(|result| result["status"].as_str().unwrap().to_owned()).collect()
    }
}

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

fn seam(clock: Arc<dyn Clock>) -> Seam {
    Seam::new(clock, Arc::new(SeededRandom::new(7)))
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// The body, if the status is this one.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        if self.text.is_empty() { Value::Null } else { serde_json::from_str(&self.text).unwrap() }
    }

    /// The problem's code, if the answer is a problem of this status in the documented form.
    #[track_caller]
    pub(crate) fn refusal(&self, status: u16) -> String {
        let problem = self.expect(status);
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        let code = problem["code"].as_str().unwrap().to_owned();
        assert_eq!(problem["type"], format!("/errors/{code}"));
        assert_eq!(problem["status"], status);
        assert!(problem["title"].is_string() && problem["detail"].is_string() && problem["errors"].is_array());
        code
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}
