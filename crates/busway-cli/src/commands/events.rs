//! `busway events`.

use clap::Args;
use serde_json::value::RawValue;

use crate::{
    event_id::told_apart,
    failure::Failure,
    http::Client,
    output::{Output, compact},
    report,
    table::{table, words},
    text::{local_time, printable, shortened},
    wire::Event,
};

/// List stored events, or tell what became of one.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  busway events                          the newest
  busway events 019a2c44-1b3c            what became of this one
  busway events --type 'ticket.*' --key 7 --oldest-first
  busway events --find /orderId=17       by a field of the payload")]
pub(crate) struct Events {
    /// Its id, or a beginning of it that no other has
    #[arg(value_name = "ID", conflicts_with_all = ["types", "key", "correlation", "find", "after", "before", "limit", "oldest_first"])]
    id: Option<String>,
    /// Of types like `ticket.*`; may be repeated
    #[arg(long = "type", value_name = "PATTERN")]
    types: Vec<String>,
    /// One tenant's
    #[arg(long)]
    tenant: Option<String>,
    /// With this ordering key
    #[arg(long)]
    key: Option<String>,
    /// With this correlationId
    #[arg(long, value_name = "ID")]
    correlation: Option<String>,
    /// An id or its beginning, a key, a correlationId, or /pointer=value in the payload
    #[arg(long, value_name = "WHAT")]
    find: Option<String>,
    /// Stored at or after this time, like 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    after: Option<String>,
    /// Stored before this time
    #[arg(long, value_name = "TIME")]
    before: Option<String>,
    /// At most so many
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    limit: usize,
    /// In the order they were stored in
    #[arg(long)]
    oldest_first: bool,
}

impl Events {
    /// Shows one event, or a list.
    pub(crate) async fn run(&self, client: &Client, output: Output) -> Result<(), Failure> {
        match &self.id {
            Some(id) => report::show(id, self.tenant.as_deref(), client, output).await,
            None => self.list(client, output).await,
        }
    }

    async fn list(&self, client: &Client, output: Output) -> Result<(), Failure> {
        let items = self.read(client).await?;
        if output.json {
            return items.iter().try_for_each(|item| output.raw(item));
        }
        let events: Vec<Event> = items.iter().filter_map(|item| serde_json::from_str(item.get()).ok()).collect();
        if events.is_empty() {
            eprintln!("no events");
            return Ok(());
        }
        output.line(drawn(&events, output.width().unwrap_or(usize::MAX)))
    }

    async fn read(&self, client: &Client) -> Result<Vec<Box<RawValue>>, Failure> {
        let mut pairs: Vec<_> = self.types.iter().map(|pattern| ("type", Some(pattern.as_str()))).collect();
        pairs.extend([
            ("tenant", self.tenant.as_deref()),
            ("key", self.key.as_deref()),
            ("correlationId", self.correlation.as_deref()),
            ("find", self.find.as_deref()),
            ("after", self.after.as_deref()),
            ("before", self.before.as_deref()),
            ("order", (!self.oldest_first).then_some("desc")),
        ]);
        Ok(client.list("/api/events", &pairs, self.limit).await?.items)
    }
}

fn drawn(events: &[Event], width: usize) -> String {
    let ids = told_apart(&events.iter().map(|event| event.id.as_str()).collect::<Vec<_>>());
    let rows = events.iter().zip(ids).map(|(event, id)| {
        let key = event.key.as_deref().map_or_else(|| "-".to_owned(), printable);
        let payload = printable(&compact(event.payload.get()));
        vec![id.to_owned(), event.event_type.clone(), event.tenant_id.clone(), key, local_time(&event.time), payload]
    });
    let whole = table(&["ID", "TYPE", "TENANT", "KEY", "TIME", "PAYLOAD"].map(words), rows);
    whole.lines().map(|line| shortened(line, width)).collect::<Vec<_>>().join("\n")
}
