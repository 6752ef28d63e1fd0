use std::time::Duration;

use serde_json::Value;
use ureq::{Agent, http::Request};

/// A client that does not give up while its server is being replaced.
pub(crate) struct Client {
    agent: Agent,
    base: String,
}

impl Client {
    pub(crate) fn new(address: &str) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .timeout_global(Some(Duration::from_secs(60)));
        Self { agent: config.build().new_agent(), base: format!("http://{address}") }
    }

    /// Repeats the call unchanged until a server answers it; the answer, which must be a success.
    pub(crate) fn until_answered(&self, method: &str, path: &str, body: &Value) -> Value {
        loop {
            if let Some((status, answer)) = self.call(method, path, body) {
                match status {
                    200 | 201 => return answer,
                    // A server that is stopping, or does not know whether it was done.
                    503 | 504 => {}
                    _ => panic!("{method} {path}: {status} {answer}"),
                }
            }
            std::thread::yield_now();
        }
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Option<(u16, Value)> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("content-type", "application/json");
        let mut response = self.agent.run(request.body(body.to_string()).ok()?).ok()?;
        let text = response.body_mut().read_to_string().ok()?;
        Some((response.status().as_u16(), serde_json::from_str(&text).ok()?))
    }
}
