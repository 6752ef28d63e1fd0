use busway_core::{
    Backoff, Definition, Error, ErrorKind, FieldError, Mode, OnDead, Order, Owner, Patterns, Retry, Start, TenantId,
};
use serde_json::value::RawValue;

use crate::fields::{Fields, Read, choice, list, or_null, parsed, read_body, share, text, whole};

/// What a `PUT` of a subscription says.
#[derive(Debug)]
pub(crate) struct SubscriptionBody {
    /// Its owner, if it names one.
    pub(crate) owner: Option<Owner>,
    pub(crate) definition: Definition,
}

/// Reads the body of a `PUT`; the modes that this server does not carry out are `Unsupported`.
pub(crate) fn read(body: &str) -> Result<SubscriptionBody, Error> {
    let (body, has_endpoint) = read_body(body, subscription)?;
    body.definition.check()?;
    match body.definition.mode {
        Mode::Run => Err(Error::new(
            ErrorKind::Unsupported,
            "mode `run` is for the process that embeds Busway and has the listener: subscribe there, or use mode `pull`",
        )),
        Mode::Pull if !has_endpoint => Ok(body),
        Mode::Push | Mode::Pull => {
            Err(Error::new(ErrorKind::Unsupported, "this server calls no endpoints; use mode `pull`"))
        }
    }
}

fn subscription(raw: &RawValue) -> Read<(SubscriptionBody, bool)> {
    let mut fields = Fields::of(raw)?;
    let types = fields.required("types", patterns);
    let tenant = fields.optional("tenant", or_null(parsed(|text| TenantId::new(text)))).flatten();
    let mode = fields.optional("mode", choice(&[("pull", Mode::Pull), ("push", Mode::Push), ("run", Mode::Run)]));
    let start = fields.optional("start", start);
    let order = fields.optional("order", choice(&[("key", Order::Key), ("type", Order::Type), ("none", Order::None)]));
    let on_dead = fields.optional("onDead", choice(&[("skip", OnDead::Skip), ("block", OnDead::Block)]));
    let retry = fields.optional("retry", retry);
    let ack_timeout_ms = fields.optional("ackTimeoutMs", whole(1..=u64::MAX));
    let concurrency = fields.optional("concurrency", whole(1..=u32::MAX.into()));
    let expire_after_ms = fields.optional("expireAfterMs", or_null(whole(1..=u64::MAX))).flatten();
    let endpoint = fields.optional("endpoint", or_null(Fields::of)).flatten();
    fields.finish(types.map(|types| {
        let plain = Definition::new(types, mode.unwrap_or(Mode::Pull));
        let definition = Definition {
            start: start.unwrap_or(plain.start),
            order: order.unwrap_or(plain.order),
            on_dead: on_dead.unwrap_or(plain.on_dead),
            retry: retry.unwrap_or(plain.retry),
            ack_timeout_ms: ack_timeout_ms.unwrap_or(plain.ack_timeout_ms),
            concurrency: concurrency.and_then(|number| u32::try_from(number).ok()).unwrap_or(plain.concurrency),
            expire_after_ms,
            ..plain
        };
        (SubscriptionBody { owner: tenant.map(Owner::Tenant), definition }, endpoint.is_some())
    }))
}

fn retry(raw: &RawValue) -> Read<Retry> {
    let mut fields = Fields::of(raw)?;
    let plain = Retry::default();
    let backoff = choice(&[("exponential", Backoff::Exponential), ("fixed", Backoff::Fixed)]);
    let attempts = fields.optional("attempts", whole(1..=u32::MAX.into()));
    let retry = Retry {
        attempts: attempts.and_then(|number| u32::try_from(number).ok()).unwrap_or(plain.attempts),
        backoff: fields.optional("backoff", backoff).unwrap_or(plain.backoff),
        delay_ms: fields.optional("delayMs", whole(0..=u64::MAX)).unwrap_or(plain.delay_ms),
        max_delay_ms: fields.optional("maxDelayMs", whole(0..=u64::MAX)).unwrap_or(plain.max_delay_ms),
        jitter: fields.optional("jitter", share).unwrap_or(plain.jitter),
    };
    fields.finish(Some(retry))
}

/// Patterns and exclusions; a fault has the place of its pattern.
pub(crate) fn patterns(raw: &RawValue) -> Read<Patterns> {
    let here = |fault: FieldError| FieldError { pointer: fault.pointer.replacen("/types", "", 1), ..fault };
    let texts = list(text)(raw)?;
    Patterns::parse(texts).map_err(|error| error.into_fields().into_iter().map(here).collect())
}

/// `latest`, `earliest` or a time.
pub(crate) fn start(raw: &RawValue) -> Read<Start> {
    parsed(str::parse::<Start>)(raw)
}
