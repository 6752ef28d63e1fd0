use std::{
    collections::BTreeMap,
    io::{Write, stdout},
    time::{Duration, Instant},
};

use clap::Args;
use serde_json::value::RawValue;

use crate::{
    failure::Failure,
    http::Client,
    output::Output,
    span::Span,
    table::{figures, table, words},
    text::{count, shortened},
    wire::Subscription,
};

/// How often a watched table is drawn.
const EVERY: Duration = Duration::from_secs(1);

/// What `list` takes.
#[derive(Debug, Args)]
pub(super) struct List {
    /// One tenant's own
    #[arg(long)]
    tenant: Option<String>,
    /// Draw the table again every second, with rates
    #[arg(short, long)]
    watch: bool,
}

/// Deliveries acknowledged so far, by owner and name, and when that was seen.
struct Seen {
    at: Instant,
    delivered: BTreeMap<(Option<String>, String), u64>,
}

impl List {
    pub(super) async fn run(&self, client: &Client, output: Output) -> Result<(), Failure> {
        let (mut last, mut drawn) = (None, 0);
        loop {
            let items = read_raw(client, self.tenant.as_deref()).await?;
            if output.json {
                items.iter().try_for_each(|item| output.raw(item))?;
            } else {
                drawn = self.draw(&parsed(&items), last.as_ref(), drawn, output)?;
            }
            if !self.watch {
                return Ok(());
            }
            last = Some(Seen::now(&parsed(&items)));
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Draws the table, over the one of so many lines that was drawn before; returns how many it has.
    fn draw(
        &self,
        subscriptions: &[Subscription],
        last: Option<&Seen>,
        before: usize,
        output: Output,
    ) -> Result<usize, Failure> {
        if subscriptions.is_empty() && !self.watch {
            eprintln!("no subscriptions; busway subscriptions put NAME PATTERN");
            return Ok(0);
        }
        let text = drawn(subscriptions, last, self.watch);
        if !self.watch {
            output.line(text)?;
            return Ok(0);
        }
        let in_place = output.is_terminal();
        let width = output.width().unwrap_or(usize::MAX);
        let lines: Vec<String> = text.lines().map(|line| shortened(line, width)).collect();
        let mut out = stdout().lock();
        if in_place && before > 0 {
            write!(out, "\u{1b}[{before}A\u{1b}[J")?;
        } else if last.is_some() && !in_place {
            writeln!(out)?;
        }
        writeln!(out, "{}", lines.join("\n"))?;
        out.flush()?;
        Ok(lines.len())
    }
}

impl Seen {
    fn now(subscriptions: &[Subscription]) -> Self {
        let delivered = subscriptions.iter().map(|one| (key(one), one.delivered_total)).collect();
        Self { at: Instant::now(), delivered }
    }

    /// Deliveries a second since then.
    fn rate(&self, subscription: &Subscription) -> String {
        let Some(before) = self.delivered.get(&key(subscription)) else { return "-".into() };
        let more = subscription.delivered_total.saturating_sub(*before) as f64;
        format!("{}/s", count((more / self.at.elapsed().as_secs_f64().max(0.001)).round() as u64))
    }
}

fn key(subscription: &Subscription) -> (Option<String>, String) {
    (subscription.tenant.clone(), subscription.name.clone())
}

/// Every subscription, or a tenant's.
pub(super) async fn read(client: &Client, tenant: Option<&str>) -> Result<Vec<Subscription>, Failure> {
    Ok(parsed(&read_raw(client, tenant).await?))
}

async fn read_raw(client: &Client, tenant: Option<&str>) -> Result<Vec<Box<RawValue>>, Failure> {
    Ok(client.list("/api/subscriptions", &[("tenant", tenant)], usize::MAX).await?.items)
}

fn parsed(items: &[Box<RawValue>]) -> Vec<Subscription> {
    items.iter().filter_map(|item| serde_json::from_str(item.get()).ok()).collect()
}

fn drawn(subscriptions: &[Subscription], last: Option<&Seen>, with_rates: bool) -> String {
    let mut columns = vec![words("NAME"), words("PATTERNS"), words("STATE")];
    columns.extend(["LAG", "OLDEST", "IN FLIGHT", "HELD", "DEAD"].map(figures));
    columns.extend(with_rates.then_some(figures("RATE")));
    let rows = subscriptions.iter().map(|one| {
        let mut row = cells(one);
        row.extend(with_rates.then(|| last.map_or_else(|| "-".into(), |last| last.rate(one))));
        row
    });
    table(&columns, rows)
}

fn cells(one: &Subscription) -> Vec<String> {
    let name = one.tenant.as_ref().map_or_else(|| one.name.clone(), |tenant| format!("{tenant}/{}", one.name));
    let oldest = match one.lag.oldest_age_ms {
        0 => "-".to_owned(),
        millis => Span(Duration::from_millis(millis)).to_string(),
    };
    let mut cells = vec![name, one.types.join(" "), one.state.clone(), count(one.lag.at_most), oldest];
    cells.extend([one.in_flight, one.held, one.dead].map(count));
    cells
}
