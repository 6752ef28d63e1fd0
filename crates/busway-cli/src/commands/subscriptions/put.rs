use clap::{Args, ValueEnum};
use hyper::{Method, StatusCode};
use serde::Serialize;

use super::name::Name;
use crate::{
    failure::Failure,
    http::{Client, Problem},
    output::Output,
    span::Span,
};

/// What `put` takes; what is not said is the server's default.
#[derive(Debug, Args)]
pub(super) struct Put {
    #[command(flatten)]
    name: Name,
    /// Which events, like `ticket.*`; `!ticket.viewed` leaves some out
    #[arg(value_name = "PATTERN", required = true)]
    types: Vec<String>,
    /// Where it starts: latest, earliest or a time [default: latest]
    #[arg(long)]
    start: Option<String>,
    /// What is delivered one at a time [default: key]
    #[arg(long, value_enum)]
    order: Option<Order>,
    /// What happens to a key after a dead letter [default: skip]
    #[arg(long, value_enum)]
    on_dead: Option<OnDead>,
    /// How often a delivery is tried, the first time included [default: 5]
    #[arg(long, value_name = "N")]
    attempts: Option<u64>,
    /// How the delay between tries grows [default: exponential]
    #[arg(long, value_enum)]
    backoff: Option<Backoff>,
    /// The first delay, like 1s [default: 1s]
    #[arg(long, value_name = "TIME")]
    delay: Option<Span>,
    /// The longest delay [default: 1h]
    #[arg(long, value_name = "TIME")]
    max_delay: Option<Span>,
    /// How much of a delay is left to chance, 0 to 1 [default: 0.2]
    #[arg(long, value_name = "SHARE")]
    jitter: Option<f64>,
    /// How long a delivery may take before it counts as failed [default: 30s]
    #[arg(long, value_name = "TIME")]
    ack_timeout: Option<Span>,
    /// Most deliveries at once per member [default: 16]
    #[arg(long, value_name = "N")]
    concurrency: Option<u64>,
    /// Remove it once it has stood unread this long [default: never]
    #[arg(long, value_name = "TIME")]
    expire_after: Option<Span>,
    /// Change it if it is there and differs
    #[arg(long)]
    update: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Order {
    Key,
    Type,
    None,
}

#[derive(Clone, Copy, Debug, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum OnDead {
    Skip,
    Block,
}

#[derive(Clone, Copy, Debug, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Backoff {
    Exponential,
    Fixed,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    types: &'a [String],
    mode: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<Order>,
    #[serde(skip_serializing_if = "Option::is_none")]
    on_dead: Option<OnDead>,
    retry: Retry,
    #[serde(skip_serializing_if = "Option::is_none")]
    ack_timeout_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    concurrency: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expire_after_ms: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Retry {
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backoff: Option<Backoff>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delay_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_delay_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jitter: Option<f64>,
}

impl Put {
    pub(super) async fn run(&self, client: &Client, output: Output) -> Result<(), Failure> {
        let body = serde_json::to_vec(&self.body()).map_err(std::io::Error::from)?;
        let path = self.name.path("", &[("update", self.update)]);
        let answer = client.try_send(Method::PUT, &path, Some(body.into())).await?;
        let done = match answer.status {
            StatusCode::CREATED => "made",
            status if status.is_success() && self.update => "stands as asked",
            status if status.is_success() => "stood as asked",
            _ => return Err(self.refused(answer.problem())),
        };
        if output.json {
            return output.raw(answer.raw()?);
        }
        output.line(format!("{} {done}: {}", self.name.name, self.types.join(" ")))
    }

    fn refused(&self, problem: Problem) -> Failure {
        let name = &self.name.name;
        match problem.code.as_str() {
            "definition_differs" => {
                problem.into_failure_of(&format!("`{name}` stands with another definition; --update changes it"))
            }
            _ => problem.into_failure_of(&format!("`{name}`; nothing was changed")),
        }
    }

    fn body(&self) -> Body<'_> {
        Body {
            types: &self.types,
            mode: "pull",
            start: self.start.as_deref(),
            order: self.order,
            on_dead: self.on_dead,
            retry: Retry {
                attempts: self.attempts,
                backoff: self.backoff,
                delay_ms: self.delay.map(Span::as_millis),
                max_delay_ms: self.max_delay.map(Span::as_millis),
                jitter: self.jitter,
            },
            ack_timeout_ms: self.ack_timeout.map(Span::as_millis),
            concurrency: self.concurrency,
            expire_after_ms: self.expire_after.map(Span::as_millis),
        }
    }
}
