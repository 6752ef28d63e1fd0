//! What became of one event, as `busway events ID` tells it.

use std::time::Duration;

use hyper::Method;

use crate::{
    failure::Failure,
    http::{Client, encoded, query},
    output::Output,
    span::Span,
    text::{local_time, millis_until, printable},
    wire::{Event, Fate, Report, Subscription},
};

/// Shows the event of this id.
pub(crate) async fn show(id: &str, tenant: Option<&str>, client: &Client, output: Output) -> Result<(), Failure> {
    let path = format!("/api/events/{}{}", encoded(id), query([("tenant", tenant)]));
    let answer = client.send(Method::GET, &path, None).await?;
    if output.json {
        return output.raw(answer.raw()?);
    }
    let report: Report = answer.json()?;
    output.line(head(&report.event))?;
    let mut fates = Vec::new();
    for fate in &report.deliveries {
        fates.push(describe(fate, &report.event, client).await);
    }
    let name_width = report.deliveries.iter().map(|fate| fate.subscription.chars().count()).max().unwrap_or(0);
    for (fate, told) in report.deliveries.iter().zip(fates) {
        output.line(format!("  {:name_width$}  {:9}  {told}", fate.subscription, fate.state).trim_end())?;
    }
    if report.deliveries.is_empty() {
        output.line("  no subscription matches it")?;
    }
    for (label, event) in report
        .caused_by
        .iter()
        .map(|event| ("caused by", event))
        .chain(report.caused.iter().map(|event| ("caused", event)))
    {
        output.line(format!("  {label}  {} {}", event.event_type, event.id))?;
    }
    Ok(())
}

fn head(event: &Event) -> String {
    let key = event.key.as_deref().map(|key| format!("  key {}", printable(key))).unwrap_or_default();
    format!("{}  {}{key}  {}", event.event_type, event.tenant_id, local_time(&event.time))
}

async fn describe(fate: &Fate, event: &Event, client: &Client) -> String {
    let error = fate.attempts.last().and_then(|attempt| attempt.error.as_deref()).map(printable);
    let because = error.as_deref().map(|error| format!(": {error}")).unwrap_or_default();
    let runs = fate.runs;
    match fate.state.as_str() {
        "delivered" if runs > 0 => format!("attempt {runs}{because}"),
        "dead" => {
            let retry =
                fate.dead_letter.as_ref().map(|id| format!("     busway dead-letters retry {id}")).unwrap_or_default();
            format!("after {runs}{because}{retry}")
        }
        "held" => held(fate, event, &because, client).await,
        _ => String::new(),
    }
}

/// `retry in 14 s, attempt 3 of 8: 503 from n8n:5678; s-118 waits, nothing else`.
async fn held(fate: &Fate, event: &Event, because: &str, client: &Client) -> String {
    if fate.runs == 0 {
        let of = event.key.as_deref().map(|key| format!(" of {}", printable(key))).unwrap_or_default();
        return format!("waits for an earlier event{of}");
    }
    let of = client.get::<Subscription>(&format!("/api/subscriptions/{}", encoded(&fate.subscription))).await;
    let of = of.map(|subscription| format!(" of {}", subscription.retry.attempts)).unwrap_or_default();
    let Some(millis) = fate.due_at.as_deref().and_then(millis_until) else {
        return format!("attempt {}{of} is under way{because}", fate.runs);
    };
    let due = match u64::try_from(millis) {
        Ok(millis @ 1..) => format!("in {}", Span(Duration::from_millis(millis))),
        _ => "due".to_owned(),
    };
    let waits = event.key.as_deref().map(|key| format!("; {} waits, nothing else", printable(key))).unwrap_or_default();
    format!("retry {due}, attempt {}{of}{because}{waits}", fate.runs + 1)
}
