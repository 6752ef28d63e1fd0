use clap::Args;
use hyper::{Method, body::Bytes};
use serde_json::json;

use super::name::Name;
use crate::{
    commands::operations::follow,
    failure::Failure,
    http::{Answer, Client},
    output::Output,
    text::printable,
    wire::{Begun, Subscription},
};

/// What `show` takes.
#[derive(Debug, Args)]
pub(super) struct Show {
    #[command(flatten)]
    name: Name,
}

/// What `pause` takes.
#[derive(Debug, Args)]
pub(super) struct Pause {
    #[command(flatten)]
    name: Name,
}

/// What `resume` takes.
#[derive(Debug, Args)]
pub(super) struct Resume {
    #[command(flatten)]
    name: Name,
}

/// What `seek` takes.
#[derive(Debug, Args)]
pub(super) struct Seek {
    #[command(flatten)]
    name: Name,
    /// Where to: latest, earliest or a time
    #[arg(value_name = "TO")]
    to: String,
}

/// What `replay` takes.
#[derive(Debug, Args)]
pub(super) struct Replay {
    #[command(flatten)]
    name: Name,
    /// Where to start: earliest or a time
    #[arg(long)]
    from: String,
    /// Where to end: latest or a time
    #[arg(long, default_value = "latest")]
    to: String,
    /// Of types like `ticket.*`; may be repeated [default: all that it wants]
    #[arg(long = "type", value_name = "PATTERN")]
    types: Vec<String>,
    /// Wait until it is done
    #[arg(long)]
    wait: bool,
}

/// What `remove` takes.
#[derive(Debug, Args)]
pub(super) struct Remove {
    #[command(flatten)]
    name: Name,
    /// Leave its dead letters
    #[arg(long)]
    keep_dead_letters: bool,
}

impl Show {
    pub(super) async fn run(&self, client: &Client, output: Output) -> Result<(), Failure> {
        let answer = self.name.call(client, Method::GET, &self.name.path("", &[]), None).await?;
        if output.json {
            return output.raw(answer.raw()?);
        }
        let fields: serde_json::Map<String, serde_json::Value> = answer.json()?;
        let width = fields.keys().map(String::len).max().unwrap_or(0);
        fields.iter().try_for_each(|(name, value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            output.line(format!("{name:width$}  {}", printable(&value)))
        })
    }
}

impl Pause {
    pub(super) async fn run(&self, client: &Client, output: Output) -> Result<(), Failure> {
        told(&self.name.call(client, Method::POST, &self.name.path("/pause", &[]), None).await?, output)
    }
}

impl Resume {
    pub(super) async fn run(&self, client: &Client, output: Output) -> Result<(), Failure> {
        told(&self.name.call(client, Method::POST, &self.name.path("/resume", &[]), None).await?, output)
    }
}

impl Seek {
    pub(super) async fn run(&self, client: &Client, output: Output) -> Result<(), Failure> {
        let body = json!({ "to": self.to }).to_string();
        told(&self.name.call(client, Method::POST, &self.name.path("/seek", &[]), Some(body.into())).await?, output)
    }
}

impl Replay {
    pub(super) async fn run(&self, client: &Client, output: Output) -> Result<(), Failure> {
        let mut body = json!({ "from": self.from, "to": self.to });
        if !self.types.is_empty() {
            body["types"] = json!(self.types);
        }
        let body = Bytes::from(body.to_string());
        let answer = self.name.call(client, Method::POST, &self.name.path("/replay", &[]), Some(body)).await?;
        let begun: Begun = answer.json()?;
        if self.wait {
            return follow(&begun.operation, client, output).await;
        }
        if output.json {
            return output.raw(answer.raw()?);
        }
        output.line(format!("replaying to {}: busway operations {}", self.name.name, begun.operation))
    }
}

impl Remove {
    pub(super) async fn run(&self, client: &Client, output: Output) -> Result<(), Failure> {
        let path = self.name.path("", &[("keepDeadLetters", self.keep_dead_letters)]);
        self.name.call(client, Method::DELETE, &path, None).await?;
        if output.json {
            return output.value(&json!({ "removed": self.name.name }));
        }
        output.line(format!("removed {}", self.name.name))
    }
}

/// How the subscription stands after the call.
fn told(answer: &Answer, output: Output) -> Result<(), Failure> {
    if output.json {
        return output.raw(answer.raw()?);
    }
    let subscription: Subscription = answer.json()?;
    output.line(format!("{} {}, lag {}", subscription.name, subscription.state, subscription.lag.at_most))
}
