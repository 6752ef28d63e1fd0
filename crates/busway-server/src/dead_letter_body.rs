use busway_core::{DeadLetterQuery, Error, ErrorKind, EventType, Payload, SubscriptionName, TenantId};
use serde_json::value::RawValue;

use crate::fields::{Fields, Read, fault, or_null, parsed, read_body, time};

/// Reads which dead letters a bulk call means: an empty object means all.
pub(crate) fn read_query(body: &str) -> Result<DeadLetterQuery, Error> {
    let (query, names_queue) = read_body(body, query)?;
    if names_queue { Err(no_queues()) } else { Ok(query) }
}

/// Jobs are not part of this server.
pub(crate) fn no_queues() -> Error {
    Error::new(ErrorKind::Unsupported, "this server has no queues; leave `queue` out")
}

fn query(raw: &RawValue) -> Read<(DeadLetterQuery, bool)> {
    let mut fields = Fields::of(raw)?;
    let query = DeadLetterQuery {
        name: fields.optional("subscription", or_null(parsed(|text| SubscriptionName::new(text)))).flatten(),
        tenant: fields.optional("tenant", or_null(parsed(|text| TenantId::new(text)))).flatten(),
        event_type: fields.optional("type", or_null(parsed(|text| EventType::new(text)))).flatten(),
        before: fields.optional("before", or_null(time)).flatten(),
        ..DeadLetterQuery::default()
    };
    let queue = fields.optional("queue", or_null(Ok)).flatten();
    fields.finish(Some((query, queue.is_some())))
}

/// Reads the payload that a `PATCH` brings, byte for byte.
pub(crate) fn read_payload(body: &str) -> Result<Payload, Error> {
    read_body(body, |raw| {
        let mut fields = Fields::of(raw)?;
        let payload = fields.required("payload", payload);
        fields.finish(payload)
    })
}

fn payload(raw: &RawValue) -> Read<Payload> {
    Payload::from_json(raw.get()).map_err(|_| fault("not_an_object", "must be a JSON object"))
}
