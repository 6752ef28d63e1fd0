use axum::{extract::State, http::StatusCode, response::Response};
use busway_core::{
    Body, DeadLetter, DeadLetterQuery, Error, ErrorKind, EventType, FieldError, SubscriptionName, TenantId, wire,
};
use serde_json::json;

use crate::{
    app::App,
    body::JsonText,
    dead_letter_body::{no_queues, read_payload, read_query},
    json::{Object, answer, answer_value, page},
    operations::begun,
    path::FromPath,
    problem::Problem,
    query::{Paging, Query, bad_query},
};

/// `GET /api/dead-letters`: by rising id.
pub(crate) async fn list(State(app): State<App>, mut query: Query) -> Result<Response, Problem> {
    let Paging { limit, cursor } = query.paging()?;
    let after = cursor.map(|cursor| cursor.parse().map_err(|_| bad_query("`cursor` is none of this list")));
    let wanted = DeadLetterQuery {
        name: query.read("subscription", SubscriptionName::new)?,
        tenant: query.tenant()?,
        event_type: query.read("type", EventType::new)?,
        after_id: after.transpose()?.unwrap_or(0),
        limit,
        ..DeadLetterQuery::default()
    };
    let queue = query.text("queue")?;
    query.finish()?;
    if queue.is_some() {
        return Err(no_queues().into());
    }
    let found = app.engine.dead_letters(&wanted).await?;
    let next = found.items.last().filter(|_| found.more).map(|last| last.id.to_string());
    Ok(page(&found.items, next.as_deref(), write))
}

/// `GET /api/dead-letters/{id}`.
pub(crate) async fn show(
    State(app): State<App>,
    FromPath(id): FromPath<u64>,
    query: Query,
) -> Result<Response, Problem> {
    let letter = find(&app, id, query).await?;
    Ok(shown(&letter))
}

/// `PATCH /api/dead-letters/{id}`: sets the payload that a retry delivers.
pub(crate) async fn edit(
    State(app): State<App>,
    FromPath(id): FromPath<u64>,
    query: Query,
    JsonText(body): JsonText,
) -> Result<Response, Problem> {
    let payload = read_payload(&body)?;
    if payload.as_str().len() > wire::MAX_EVENT_BYTES {
        let detail = format!("has {} bytes; at most {} are allowed", payload.as_str().len(), wire::MAX_EVENT_BYTES);
        return Err(Error::invalid(ErrorKind::TooLarge, vec![FieldError::new("/payload", "too_large", detail)]).into());
    }
    find(&app, id, query).await?;
    Ok(shown(&app.engine.edit_dead_letter(None, id, payload).await?))
}

/// `POST /api/dead-letters/{id}/retry`.
pub(crate) async fn retry(
    State(app): State<App>,
    FromPath(id): FromPath<u64>,
    query: Query,
) -> Result<Response, Problem> {
    find(&app, id, query).await?;
    app.engine.retry_dead_letter(None, id).await?;
    Ok(answer_value(StatusCode::ACCEPTED, &json!({})))
}

/// `POST /api/dead-letters/{id}/discard`.
pub(crate) async fn discard(
    State(app): State<App>,
    FromPath(id): FromPath<u64>,
    query: Query,
) -> Result<StatusCode, Problem> {
    find(&app, id, query).await?;
    app.engine.discard_dead_letter(None, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/dead-letters/retry`.
pub(crate) async fn retry_all(
    State(app): State<App>,
    query: Query,
    JsonText(body): JsonText,
) -> Result<Response, Problem> {
    let wanted = bulk(query, &body)?;
    Ok(begun(app.engine.retry_dead_letters(wanted).await?))
}

/// `POST /api/dead-letters/discard`.
pub(crate) async fn discard_all(
    State(app): State<App>,
    query: Query,
    JsonText(body): JsonText,
) -> Result<Response, Problem> {
    let wanted = bulk(query, &body)?;
    Ok(begun(app.engine.discard_dead_letters(wanted).await?))
}

/// Which dead letters a bulk call means; the tenant may stand in the body or in the address.
fn bulk(mut query: Query, body: &str) -> Result<DeadLetterQuery, Problem> {
    let tenant = query.tenant()?;
    query.finish()?;
    let mut wanted = read_query(body)?;
    match (&tenant, &wanted.tenant) {
        (Some(asked), Some(named)) if asked != named => {
            let detail = format!("is `{named}`, but the call is for `{asked}`");
            Err(Error::invalid(ErrorKind::InvalidBody, vec![FieldError::new("/tenant", "other_tenant", detail)]).into())
        }
        _ => {
            wanted.tenant = wanted.tenant.or(tenant);
            Ok(wanted)
        }
    }
}

/// A dead letter, of the tenant's events if the call names one.
async fn find(app: &App, id: u64, mut query: Query) -> Result<DeadLetter, Problem> {
    let tenant = query.tenant()?;
    query.finish()?;
    let letter = app.engine.dead_letter(None, id).await?;
    match tenant {
        Some(tenant) if tenant_of(&letter) != Some(&tenant) => {
            Err(Problem::new(ErrorKind::NotFound, format!("no dead letter {id} of `{tenant}`")))
        }
        _ => Ok(letter),
    }
}

fn tenant_of(letter: &DeadLetter) -> Option<&TenantId> {
    letter.entry.event().map(|event| &event.tenant)
}

fn shown(letter: &DeadLetter) -> Response {
    let mut text = String::with_capacity(letter.entry.size() + 512);
    write(&mut text, letter);
    answer(StatusCode::OK, text)
}

fn write(text: &mut String, letter: &DeadLetter) {
    let mut object = Object::begin(text);
    object
        .field("id", &letter.id.to_string())
        .field("subscription", &letter.name)
        .field("owner", &letter.owner)
        .field("tenantId", &tenant_of(letter));
    wire::write_event(object.slot("event"), &letter.entry);
    if let Body::Undecodable(undecodable) = &letter.entry.body {
        object.field("raw", &String::from_utf8_lossy(&undecodable.raw));
    }
    let edited = letter.edited_payload.as_ref().map_or("null", |payload| payload.as_str());
    object.slot("editedPayload").push_str(edited);
    object
        .field("error", &letter.error)
        .field("attempts", &letter.attempts)
        .field("firstFailedAt", &letter.first_failed_at)
        .field("diedAt", &letter.died_at)
        .field("cause", &letter.cause)
        .end();
}
