use clap::Args;
use serde_json::value::RawValue;

use crate::{
    failure::Failure,
    http::{self, Client},
    output::Output,
    table::{figures, table, words},
    text::{local_time, printable, shortened},
    wire::DeadLetter,
};

/// What `list` takes.
#[derive(Debug, Args)]
pub(super) struct List {
    /// Of this subscription
    #[arg(long, value_name = "NAME")]
    subscription: Option<String>,
    /// Of this tenant's events
    #[arg(long)]
    tenant: Option<String>,
    /// Of this type
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<String>,
    /// At most so many
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
    limit: usize,
}

impl List {
    pub(super) async fn run(&self, client: &Client, output: Output) -> Result<(), Failure> {
        let pairs = [
            ("subscription", self.subscription.as_deref()),
            ("tenant", self.tenant.as_deref()),
            ("type", self.event_type.as_deref()),
        ];
        let http::List { items, more } = client.list("/api/dead-letters", &pairs, self.limit).await?;
        if output.json {
            return items.iter().try_for_each(|item| output.raw(item));
        }
        if items.is_empty() {
            eprintln!("no dead letters");
            return Ok(());
        }
        let width = output.width().unwrap_or(usize::MAX);
        drawn(&items).lines().try_for_each(|line| output.line(shortened(line, width)))?;
        if more {
            eprintln!("there are more: --limit");
        }
        Ok(())
    }
}

fn drawn(items: &[Box<RawValue>]) -> String {
    let letters = items.iter().filter_map(|item| serde_json::from_str::<DeadLetter>(item.get()).ok());
    let or_none = |text: Option<&str>| text.map_or_else(|| "-".to_owned(), printable);
    let rows = letters.map(|letter| {
        let event = letter.event.as_ref();
        vec![
            letter.id,
            or_none(letter.subscription.as_deref()),
            or_none(event.map(|event| event.event_type.as_str())),
            or_none(letter.tenant_id.as_deref()),
            or_none(event.and_then(|event| event.key.as_deref())),
            letter.attempts.to_string(),
            letter.cause,
            local_time(&letter.died_at),
            printable(&letter.error),
        ]
    });
    let mut columns = vec![figures("ID")];
    columns.extend(["SUBSCRIPTION", "TYPE", "TENANT", "KEY"].map(words));
    columns.push(figures("ATTEMPTS"));
    columns.extend(["CAUSE", "DIED", "ERROR"].map(words));
    table(&columns, rows)
}
