use axum::{extract::State, http::StatusCode, response::Response};
use busway_core::{
    Definition, Error, ErrorKind, FieldError, Owner, Patterns, Start, SubscriptionName, SubscriptionState, Timestamp,
};
use busway_engine::{Put, SubscriptionView};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    app::App,
    body::JsonText,
    fields::{Fields, Read, or_null, read_body},
    json::{answer_value, page, write_value},
    operations::begun,
    path::FromPath,
    problem::Problem,
    query::{Paging, Query, bad_query},
    subscription_body::{self, patterns, start},
};

/// A subscription as it is shown: the definition, and how it stands.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    name: &'a str,
    /// `null` for the installation's own.
    tenant: Option<&'a str>,
    #[serde(flatten)]
    definition: &'a Definition,
    revision: u64,
    state: SubscriptionState,
    members: &'a [String],
    lag: Lag,
    in_flight: u64,
    held: u64,
    dead: u64,
    delivered_total: u64,
    failed_total: u64,
    made_at: Timestamp,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Lag {
    at_most: u64,
    oldest_age_ms: u64,
}

impl<'a> From<&'a SubscriptionView> for Shown<'a> {
    fn from(view: &'a SubscriptionView) -> Self {
        Self {
            name: view.name.as_str(),
            tenant: view.owner.tenant().map(|tenant| tenant.as_str()),
            definition: &view.definition,
            revision: view.revision,
            state: view.state,
            members: &view.members,
            lag: Lag {
                at_most: view.lag_at_most,
                oldest_age_ms: u64::try_from(view.oldest_age.as_millis()).unwrap_or(u64::MAX),
            },
            in_flight: view.in_flight,
            held: view.held,
            dead: view.dead,
            delivered_total: view.delivered_total,
            failed_total: view.failed_total,
            made_at: view.made_at,
        }
    }
}

fn shown(view: &SubscriptionView) -> Response {
    answer_value(StatusCode::OK, &Shown::from(view))
}

/// Whose subscription a call without a body means.
fn only_owner(mut query: Query) -> Result<Owner, Problem> {
    let owner = query.owner()?;
    query.finish()?;
    Ok(owner.unwrap_or(Owner::Installation))
}

/// `GET /api/subscriptions`: every owner's, or the tenant's that is named, by (owner, name).
pub(crate) async fn list(State(app): State<App>, mut query: Query) -> Result<Response, Problem> {
    let owner = query.owner()?;
    let Paging { limit, cursor } = query.paging()?;
    query.finish()?;
    // An owner has no `/` in it, so the cursor, the last one shown, has one meaning.
    let after = match &cursor {
        Some(cursor) => Some(cursor.split_once('/').ok_or_else(|| bad_query("`cursor` is none of this list"))?),
        None => None,
    };
    let views = app.engine.subscriptions(owner.as_ref()).await?;
    let mut rest = views.iter().filter(|view| after.is_none_or(|after| place(view) > after));
    let items: Vec<_> = rest.by_ref().take(limit).collect();
    let next = match (items.last(), rest.next()) {
        (Some(last), Some(_)) => Some(format!("{}/{}", last.owner, last.name)),
        _ => None,
    };
    Ok(page(items, next.as_deref(), |text, view| write_value(text, &Shown::from(view))))
}

fn place(view: &SubscriptionView) -> (&str, &str) {
    (view.owner.as_str(), view.name.as_str())
}

/// `GET /api/subscriptions/{name}`.
pub(crate) async fn show(
    State(app): State<App>,
    FromPath(name): FromPath<SubscriptionName>,
    query: Query,
) -> Result<Response, Problem> {
    let owner = only_owner(query)?;
    Ok(shown(&app.engine.subscription(&owner, &name).await?))
}

/// `PUT /api/subscriptions/{name}`: 201 if it is new, else 200.
pub(crate) async fn put(
    State(app): State<App>,
    FromPath(name): FromPath<String>,
    mut query: Query,
    JsonText(body): JsonText,
) -> Result<Response, Problem> {
    let update = query.flag("update")?;
    let owner = query.owner()?;
    query.finish()?;
    let body = subscription_body::read(&body)?;
    let name = SubscriptionName::new(name)?;
    let owner = match (owner, body.owner) {
        (Some(asked), Some(named)) if asked != named => {
            let detail = format!("is `{named}`, but the call is for `{asked}`");
            let fault = FieldError::new("/tenant", "other_tenant", detail);
            return Err(Error::invalid(ErrorKind::InvalidBody, vec![fault]).into());
        }
        (asked, named) => named.or(asked).unwrap_or(Owner::Installation),
    };
    let (put, view) = app.engine.put(owner, name, body.definition, update).await?;
    let status = if put == Put::Made { StatusCode::CREATED } else { StatusCode::OK };
    Ok(answer_value(status, &Shown::from(&view)))
}

/// `DELETE /api/subscriptions/{name}`.
pub(crate) async fn remove(
    State(app): State<App>,
    FromPath(name): FromPath<SubscriptionName>,
    mut query: Query,
) -> Result<StatusCode, Problem> {
    let keep_dead_letters = query.flag("keepDeadLetters")?;
    let owner = only_owner(query)?;
    app.engine.remove(&owner, &name, keep_dead_letters).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/subscriptions/{name}/pause`.
pub(crate) async fn pause(
    State(app): State<App>,
    FromPath(name): FromPath<SubscriptionName>,
    query: Query,
) -> Result<Response, Problem> {
    let owner = only_owner(query)?;
    Ok(shown(&app.engine.pause(&owner, &name).await?))
}

/// `POST /api/subscriptions/{name}/resume`.
pub(crate) async fn resume(
    State(app): State<App>,
    FromPath(name): FromPath<SubscriptionName>,
    query: Query,
) -> Result<Response, Problem> {
    let owner = only_owner(query)?;
    Ok(shown(&app.engine.resume(&owner, &name).await?))
}

/// `POST /api/subscriptions/{name}/seek`.
pub(crate) async fn seek(
    State(app): State<App>,
    FromPath(name): FromPath<SubscriptionName>,
    query: Query,
    JsonText(body): JsonText,
) -> Result<Response, Problem> {
    let owner = only_owner(query)?;
    let to = read_body(&body, target)?;
    Ok(shown(&app.engine.seek(&owner, &name, to).await?))
}

fn target(raw: &RawValue) -> Read<Start> {
    let mut fields = Fields::of(raw)?;
    let to = fields.required("to", start);
    fields.finish(to)
}

/// `POST /api/subscriptions/{name}/replay`.
pub(crate) async fn replay(
    State(app): State<App>,
    FromPath(name): FromPath<SubscriptionName>,
    query: Query,
    JsonText(body): JsonText,
) -> Result<Response, Problem> {
    let owner = only_owner(query)?;
    let Range { from, to, types } = read_body(&body, range)?;
    Ok(begun(app.engine.replay(&owner, &name, from, to, types).await?))
}

/// What a replay goes over; up to the log's end if it names none.
struct Range {
    from: Start,
    to: Start,
    types: Option<Patterns>,
}

fn range(raw: &RawValue) -> Read<Range> {
    let mut fields = Fields::of(raw)?;
    let from = fields.required("from", start);
    let to = fields.optional("to", start).unwrap_or(Start::Latest);
    let types = fields.optional("types", or_null(patterns)).flatten();
    fields.finish(from.map(|from| Range { from, to, types }))
}
