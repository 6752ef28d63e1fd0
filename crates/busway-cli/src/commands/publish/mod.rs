//! `busway publish`.

mod batch;
mod refusal;

use std::{io::Read, path::PathBuf};

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{event_id, failure::Failure, http::Client, output::Output, text::printable};

use refusal::Sent;

/// Publish an event, or many from a file.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  busway publish ticket.created '{\"id\":1}' --tenant acme
  busway publish shift.created @shift.json --tenant acme --key s-118
  busway publish --batch events.jsonl")]
pub(crate) struct Publish {
    /// What happened, like `ticket.created`
    #[arg(value_name = "TYPE", required_unless_present = "batch", conflicts_with = "batch")]
    event_type: Option<String>,
    /// What is told: a JSON object, @FILE with one, or - for standard input [default: {}]
    #[arg(value_name = "JSON|@FILE|-")]
    payload: Option<String>,
    /// Whose event it is; with --batch, of all of them
    #[arg(long)]
    tenant: Option<String>,
    /// What it is ordered by
    #[arg(long, conflicts_with = "batch")]
    key: Option<String>,
    /// Its id, a UUID: a repeat is stored once
    #[arg(long, conflicts_with = "batch")]
    id: Option<String>,
    /// When it happened, like 2026-01-31T12:00:00Z [default: now]
    #[arg(long, conflicts_with = "batch")]
    time: Option<String>,
    /// What it belongs to: its correlationId
    #[arg(long, value_name = "ID", conflicts_with = "batch")]
    correlation: Option<String>,
    /// Events from a file, or - for standard input: one JSON object a line, as the API takes them
    #[arg(long, value_name = "FILE")]
    batch: Option<PathBuf>,
}

/// An event as it is sent; the payload byte for byte as it was given.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewEvent<'a> {
    #[serde(rename = "type")]
    event_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    correlation_id: &'a str,
}

/// What became of published events.
#[derive(Deserialize)]
struct Stored {
    events: Vec<Box<RawValue>>,
}

/// What became of one.
#[derive(Deserialize)]
struct StoredEvent {
    id: String,
    duplicate: bool,
    #[serde(default)]
    subscriptions: Vec<String>,
    #[serde(default)]
    warnings: Vec<String>,
}

impl Publish {
    /// Publishes, and tells whom it will reach.
    pub(crate) async fn run(&self, client: &Client, output: Output) -> Result<(), Failure> {
        match (&self.batch, &self.event_type) {
            (Some(file), _) => batch::publish(file, self.tenant.as_deref(), client, output).await,
            (None, Some(event_type)) => self.one(event_type, client, output).await,
            (None, None) => Err(Failure::usage("name a type, or --batch FILE")),
        }
    }

    async fn one(&self, event_type: &str, client: &Client, output: Output) -> Result<(), Failure> {
        let sent = [Sent { event_type: Some(event_type.into()), line: None }];
        let payload = self.payload.as_deref().map(read_payload).transpose()?;
        let payload = payload.as_deref().map(serde_json::from_str::<&RawValue>).transpose().map_err(|error| {
            let headline = format!("{}; nothing was stored", printable(event_type));
            Failure::refused("invalid_event", headline).line(format!("/payload is not JSON: {error}"))
        })?;
        let event = NewEvent {
            event_type,
            id: self.id.as_deref(),
            tenant_id: self.tenant.as_deref(),
            key: self.key.as_deref(),
            time: self.time.as_deref(),
            payload,
            metadata: self.correlation.as_deref().map(|correlation_id| Metadata { correlation_id }),
        };
        let body = serde_json::to_vec(&event).map_err(std::io::Error::from)?;
        let answer = client.try_send(hyper::Method::POST, "/api/events?explain=true", Some(body.into())).await?;
        if !answer.status.is_success() {
            return Err(refusal::told(answer.problem(), &sent, 0));
        }
        for stored in answer.json::<Stored>()?.events {
            if output.json {
                output.raw(&stored)?;
            } else if let Ok(stored) = serde_json::from_str::<StoredEvent>(stored.get()) {
                stored.tell(client, output).await?;
            }
        }
        Ok(())
    }
}

impl StoredEvent {
    async fn tell(&self, client: &Client, output: Output) -> Result<(), Failure> {
        let id = event_id::unique(client, &self.id).await;
        if self.duplicate {
            output.line(format!("duplicate {id}: stored before, delivered to nobody again"))?;
        } else if self.subscriptions.is_empty() {
            output.line(format!("stored {id} for nobody"))?;
        } else {
            output.line(format!("stored {id} for {}", self.subscriptions.join(", ")))?;
        }
        for warning in &self.warnings {
            eprintln!("note: {}", printable(warning));
        }
        Ok(())
    }
}

/// The payload's text: given as it stands, in a file, or on standard input.
pub(crate) fn read_payload(given: &str) -> Result<String, Failure> {
    let read = |what: &str, result: std::io::Result<String>| {
        result.map_err(|error| Failure::usage(format!("{what} cannot be read: {error}")))
    };
    if given == "-" {
        let mut text = String::new();
        return read("standard input", std::io::stdin().lock().read_to_string(&mut text).map(|_| text));
    }
    match given.strip_prefix('@') {
        Some(file) => read(file, std::fs::read_to_string(file)),
        None => Ok(given.to_owned()),
    }
}
