use std::time::Duration;

use axum::{extract::State, http::StatusCode, response::Response};
use busway_core::{Owner, SubscriptionName, wire};
use busway_engine::Leased;
use serde_json::value::RawValue;

use crate::{
    app::App,
    body::JsonText,
    fields::{Fields, Read, read_body, whole},
    json::{Object, answer, write_list},
    path::FromPath,
    problem::Problem,
    query::Query,
};

/// What a puller asks for.
#[derive(Debug, PartialEq)]
struct Ask {
    max: usize,
    wait: Duration,
}

/// `POST /api/subscriptions/{name}/pull`.
pub(crate) async fn pull(
    State(app): State<App>,
    FromPath(name): FromPath<SubscriptionName>,
    mut query: Query,
    JsonText(body): JsonText,
) -> Result<Response, Problem> {
    let owner = query.owner()?.unwrap_or(Owner::Installation);
    query.finish()?;
    let Ask { max, wait } = if body.is_empty() { read_body("{}", ask)? } else { read_body(&body, ask)? };
    let leased = tokio::select! {
        biased;
        leased = app.engine.pull(&owner, &name, max, wait) => leased?,
        () = app.stopping.cancelled() => Vec::new(),
    };
    Ok(answer(StatusCode::OK, write(&leased)))
}

fn ask(raw: &RawValue) -> Read<Ask> {
    let mut fields = Fields::of(raw)?;
    let max = fields.optional("max", whole(1..=1_000)).unwrap_or(10) as usize;
    let wait = Duration::from_millis(fields.optional("waitMs", whole(0..=30_000)).unwrap_or(0));
    fields.finish(Some(Ask { max, wait }))
}

fn write(leased: &[Leased]) -> String {
    let payloads: usize = leased.iter().map(|leased| leased.entry.size()).sum();
    let mut text = String::with_capacity(20 + payloads + leased.len() * 400);
    let mut answer = Object::begin(&mut text);
    write_list(answer.slot("deliveries"), leased, |text, leased| {
        let mut delivery = Object::begin(text);
        delivery
            .field("deliveryId", &leased.delivery_id)
            .field("attempt", &leased.attempt)
            .field("leaseEndsAt", &leased.lease_ends_at)
            .field("fence", &leased.fence)
            .field("replay", &leased.replay);
        wire::write_event(delivery.slot("event"), &leased.entry);
        delivery.end();
    });
    answer.end();
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_puller_that_says_nothing_gets_ten_at_once() {
        assert_eq!(read_body("{}", ask).unwrap(), Ask { max: 10, wait: Duration::ZERO });
    }
}
