use std::{collections::HashSet, time::Duration};

use axum::{extract::State, http::StatusCode, response::Response};
use busway_core::{FieldError, Owner, SubscriptionName};
use busway_engine::{SettleDead, SettleExtend, SettleRetry, Settlements};
use serde_json::value::RawValue;

use crate::{
    app::App,
    body::JsonText,
    fields::{Faults, Fields, Read, list, or_null, read_body, text, whole},
    json::{Object, answer, write_list},
    path::FromPath,
    problem::Problem,
    query::Query,
};

/// Most bytes of an error that are kept: it is stored with each hold and dead letter.
const MAX_ERROR: usize = 4_096;

/// `POST /api/subscriptions/{name}/settle`.
pub(crate) async fn settle(
    State(app): State<App>,
    FromPath(name): FromPath<SubscriptionName>,
    mut query: Query,
    JsonText(body): JsonText,
) -> Result<Response, Problem> {
    let owner = query.owner()?.unwrap_or(Owner::Installation);
    query.finish()?;
    let settlements = read_body(&body, settlements)?;
    let results = app.engine.settle(&owner, &name, settlements).await?;
    let mut text = String::with_capacity(16 + results.len() * 80);
    let mut object = Object::begin(&mut text);
    write_list(object.slot("results"), &results, |text, result| {
        let status = if result.settled { "settled" } else { "stale" };
        Object::begin(text).field("id", &result.id).field("status", status).end();
    });
    object.end();
    Ok(answer(StatusCode::OK, text))
}

fn settlements(raw: &RawValue) -> Read<Settlements> {
    let mut fields = Fields::of(raw)?;
    let settlements = Settlements {
        ack: fields.optional("ack", list(text)).unwrap_or_default(),
        retry: fields.optional("retry", list(retry)).unwrap_or_default(),
        dead: fields.optional("dead", list(dead)).unwrap_or_default(),
        extend: fields.optional("extend", list(extend)).unwrap_or_default(),
    };
    let settlements = fields.finish(Some(settlements))?;
    let faults = repeated(&settlements);
    if faults.is_empty() { Ok(settlements) } else { Err(faults) }
}

/// Where an id stands that stood before.
fn repeated(settlements: &Settlements) -> Faults {
    let Settlements { ack, retry, dead, extend } = settlements;
    let ack = ack.iter().enumerate().map(|(index, id)| (("ack", index, ""), id));
    let retry = retry.iter().enumerate().map(|(index, entry)| (("retry", index, "/id"), &entry.id));
    let dead = dead.iter().enumerate().map(|(index, entry)| (("dead", index, "/id"), &entry.id));
    let extend = extend.iter().enumerate().map(|(index, entry)| (("extend", index, "/id"), &entry.id));
    let mut seen = HashSet::new();
    let all = ack.chain(retry).chain(dead).chain(extend);
    let repeated = all.filter(|(_, id)| !seen.insert(*id));
    let fault =
        |(list, index, field)| FieldError::new(format!("/{list}/{index}{field}"), "duplicate_id", "is named before");
    repeated.map(|(place, _)| fault(place)).collect()
}

fn retry(raw: &RawValue) -> Read<SettleRetry> {
    let mut fields = Fields::of(raw)?;
    let id = fields.required("id", text);
    let delay = fields.optional("delayMs", or_null(whole(0..=u64::MAX))).flatten().map(Duration::from_millis);
    let error = fields.optional("error", or_null(error)).flatten();
    fields.finish(id.map(|id| SettleRetry { id, delay, error }))
}

fn dead(raw: &RawValue) -> Read<SettleDead> {
    let mut fields = Fields::of(raw)?;
    let id = fields.required("id", text);
    let error = fields.optional("error", or_null(error)).flatten();
    fields.finish(id.map(|id| SettleDead { id, error }))
}

fn extend(raw: &RawValue) -> Read<SettleExtend> {
    let mut fields = Fields::of(raw)?;
    let id = fields.required("id", text);
    let by = fields.required("ms", whole(1..=u64::MAX)).map(Duration::from_millis);
    fields.finish(id.zip(by).map(|(id, by)| SettleExtend { id, by }))
}

/// An error's text, its end cut off where it is long: a worker's stack trace must not keep it from settling.
fn error(raw: &RawValue) -> Read<String> {
    let mut error = text(raw)?.replace('\0', "\u{fffd}");
    if error.len() > MAX_ERROR {
        error.truncate(error.floor_char_boundary(MAX_ERROR));
        error.push('…');
    }
    Ok(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_four_lists_are_read() {
        let body = r#"{"ack":["a"],"retry":[{"id":"b","delayMs":5,"error":"503"},{"id":"c","delayMs":null}],
            "dead":[{"id":"d","error":"404"}],"extend":[{"id":"e","ms":1000}]}"#;
        let Settlements { ack, retry, dead, extend } = read_body(body, settlements).unwrap();
        assert_eq!(ack, ["a"]);
        insta::assert_compact_debug_snapshot!(retry, @r#"[SettleRetry { id: "b", delay: Some(5ms), error: Some("503") }, SettleRetry { id: "c", delay: None, error: None }]"#);
        insta::assert_compact_debug_snapshot!(dead, @r#"[SettleDead { id: "d", error: Some("404") }]"#);
        insta::assert_compact_debug_snapshot!(extend, @r#"[SettleExtend { id: "e", by: 1s }]"#);
    }

    #[test]
    fn a_long_error_is_cut_between_two_characters() {
        let long = format!("{}é{}", "x".repeat(MAX_ERROR - 1), "y".repeat(100));
        let body = serde_json::json!({ "dead": [{ "id": "d", "error": long }] }).to_string();
        let cut = read_body(&body, settlements).unwrap().dead.remove(0).error.unwrap();
        assert_eq!(cut, format!("{}…", "x".repeat(MAX_ERROR - 1)));
    }
}
