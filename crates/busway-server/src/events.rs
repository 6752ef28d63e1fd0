use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use busway_core::{Patterns, Timestamp, wire};
use busway_engine::{DeliveryState, DeliveryView, EventQuery, EventReport, Explained, Published};
use serde::Serialize;
use serde_json::json;

use crate::{
    accept::check_accept,
    app::App,
    body::{JsonText, unread},
    json::{Object, answer, page, write_list, write_value},
    path::FromPath,
    problem::Problem,
    publication,
    query::{Query, bad_query},
};

/// `POST /api/events`: one event or an array, all or none.
pub(crate) async fn publish(
    State(app): State<App>,
    mut query: Query,
    headers: HeaderMap,
    JsonText(body): JsonText,
) -> Result<Response, Problem> {
    let explain = query.flag("explain")?;
    let tenant = query.tenant()?;
    query.finish()?;
    if headers.contains_key("ce-specversion") {
        return Err(unread("a CloudEvent by `ce-` headers"));
    }
    let mut events = wire::parse_batch(&body).map_err(|error| publication::refused(error, &body))?;
    if let Some(tenant) = &tenant {
        publication::bind(&mut events, tenant).map_err(|error| publication::refused(error, &body))?;
    }
    if let Some(key) = publication::idempotency_key(&headers)? {
        publication::fill_ids(&mut events, &app.engine.config().default_tenant, key);
    }
    let explained = if explain { Some(app.engine.explain(&events).await?) } else { None };
    let published = app.engine.publish(events).await.map_err(|error| publication::refused(error, &body))?;
    Ok(answer(StatusCode::CREATED, write_published(&published, explained.as_deref())))
}

fn write_published(published: &[Published], explained: Option<&[Explained]>) -> String {
    let mut text = String::with_capacity(20 + published.len() * 70);
    let mut answer = Object::begin(&mut text);
    write_list(answer.slot("events"), published.iter().enumerate(), |text, (index, event)| {
        let mut object = Object::begin(text);
        object.field("id", &event.id).field("duplicate", &event.duplicate);
        if let Some(explained) = explained.and_then(|explained| explained.get(index)) {
            object.field("subscriptions", &explained.subscriptions).field("warnings", &explained.warnings);
        }
        object.end();
    });
    answer.end();
    text
}

/// `GET /api/events`: stored events, page by page.
pub(crate) async fn list(State(app): State<App>, mut query: Query, headers: HeaderMap) -> Result<Response, Problem> {
    check_accept(&headers)?;
    let types = types(&mut query)?;
    let descending = query.read("order", |order| match &*order {
        "asc" => Ok(false),
        "desc" => Ok(true),
        _ => Err(format!("is `{order}`; it takes `asc` or `desc`")),
    })?;
    let paging = query.paging()?;
    let wanted = EventQuery {
        types,
        tenant: query.tenant()?,
        key: query.text("key")?,
        correlation_id: query.text("correlationId")?,
        find: query.text("find")?,
        after: query.time("after")?,
        before: query.time("before")?,
        descending: descending.unwrap_or(false),
        limit: paging.limit,
        cursor: paging.cursor,
    };
    query.finish()?;
    let found = app.engine.events(wanted).await?;
    Ok(page(&found.entries, found.next.as_deref(), |text, entry| wire::write_event(text, entry)))
}

/// The patterns of `type`, which may repeat.
pub(crate) fn types(query: &mut Query) -> Result<Option<Patterns>, Problem> {
    let types = query.all("type");
    if types.is_empty() {
        return Ok(None);
    }
    Patterns::parse(types).map(Some).map_err(|error| bad_query(format!("`type`: {}", error.detail())))
}

/// `GET /api/events/{id}`: an event, and what became of it.
pub(crate) async fn show(
    State(app): State<App>,
    FromPath(id): FromPath<String>,
    mut query: Query,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    check_accept(&headers)?;
    let tenant = query.tenant()?;
    query.finish()?;
    let report = app.engine.event(tenant.as_ref(), None, &id).await?;
    Ok(answer(StatusCode::OK, write_report(&report)))
}

fn write_report(report: &EventReport) -> String {
    let mut text = String::with_capacity(report.entry.size() + 1_024);
    let mut object = Object::begin(&mut text);
    wire::write_event(object.slot("event"), &report.entry);
    write_list(object.slot("deliveries"), &report.deliveries, |text, delivery| {
        write_value(text, &Shown::from(delivery))
    });
    match &report.caused_by {
        Some(cause) => wire::write_event(object.slot("causedBy"), cause),
        None => object.slot("causedBy").push_str("null"),
    }
    write_list(object.slot("caused"), &report.caused, |text, entry| wire::write_event(text, entry));
    object.slot("jobs").push_str("[]");
    object.end();
    text
}

/// A delivery as it is shown. `attempts` are the runs that failed, `runs` counts all that were begun.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    subscription: &'a str,
    state: &'static str,
    attempts: Vec<serde_json::Value>,
    runs: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    due_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dead_letter: Option<String>,
}

impl<'a> From<&'a DeliveryView> for Shown<'a> {
    fn from(view: &'a DeliveryView) -> Self {
        Self {
            subscription: view.subscription.as_str(),
            state: match view.state {
                DeliveryState::Waiting => "waiting",
                DeliveryState::Delivered => "delivered",
                DeliveryState::Held => "held",
                DeliveryState::Dead => "dead",
            },
            attempts: view.failures.iter().map(|failure| json!({ "at": failure.at, "error": failure.error })).collect(),
            runs: view.attempts,
            due_at: view.due,
            dead_letter: view.dead_letter.map(|id| id.to_string()),
        }
    }
}
