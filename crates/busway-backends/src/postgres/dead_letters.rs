use std::{collections::BTreeMap, sync::Arc};

use busway_core::{
    Body, DeadCause, DeadLetter, DeadLetterQuery, Entry, Event, EventType, Key, KeyId, LaneId, Metadata, Owner, Page,
    Payload, Result, Seq, SubscriptionId, SubscriptionName, TenantId, Undecodable,
};
use tokio_postgres::{
    Row,
    types::{ToSql, Type},
};
use uuid::Uuid;

use super::{
    checkpoint_row::lane,
    columns::{column, from_json, json, only, time, to_json, unreadable, unsigned, wide},
    pool::Pool,
};

const COLUMNS: &str = "id, subscription, lane, seq, owner, name, hold_key, edited_payload, error, attempts, \
                       first_failed_at, died_at, cause, stored_at, event_id, tenant, type, key, time, metadata, \
                       payload, fault, raw";
const CAUSES: &[(DeadCause, &str)] = &[
    (DeadCause::Attempts, "attempts"),
    (DeadCause::Permanent, "permanent"),
    (DeadCause::Undecodable, "undecodable"),
    (DeadCause::Lost, "lost"),
    (DeadCause::Rejected, "rejected"),
];
/// Adds what [`Letters::values`] gives within the commit whose parameters stand before it.
pub(super) const ADD: &str = "{schema}.add_dead_letters($1, $2, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, \
                              $32, $33, $34, $35, $36, $37, $38, $39, $40, $41)";

/// Dead letters of one lane, column by column.
#[derive(Default)]
pub(super) struct Letters<'a> {
    hold_keys: Vec<Uuid>,
    event_ids: Vec<Option<Uuid>>,
    seqs: Vec<i64>,
    attempts: Vec<i64>,
    first_failed: Vec<i64>,
    died: Vec<i64>,
    stored: Vec<i64>,
    times: Vec<Option<i64>>,
    owners: Vec<&'a str>,
    names: Vec<&'a str>,
    causes: Vec<&'static str>,
    tenants: Vec<Option<&'a str>>,
    types: Vec<Option<&'a str>>,
    keys: Vec<Option<&'a str>>,
    errors: Vec<String>,
    faults: Vec<Option<String>>,
    metadata: Vec<Option<&'a str>>,
    payloads: Vec<Option<&'a str>>,
    edited: Vec<Option<&'a str>>,
    raws: Vec<Option<&'a [u8]>>,
}

impl<'a> Letters<'a> {
    /// Of two of one seq the later counts.
    pub(super) fn of(letters: &'a [DeadLetter]) -> Result<Self> {
        let by_seq: BTreeMap<Seq, &DeadLetter> = letters.iter().map(|letter| (letter.entry.seq, letter)).collect();
        let mut columns = Self::default();
        for letter in by_seq.into_values() {
            columns.add(letter)?;
        }
        Ok(columns)
    }

    fn add(&mut self, letter: &'a DeadLetter) -> Result<()> {
        let entry = &letter.entry;
        let event = entry.event();
        let undecodable = match &entry.body {
            Body::Event(_) => None,
            Body::Undecodable(undecodable) => Some(undecodable),
        };
        self.hold_keys.push(Uuid::from_u128(letter.key.0));
        self.event_ids.push(event.map(|event| event.id));
        self.seqs.push(entry.seq.cast_signed());
        self.attempts.push(letter.attempts.into());
        self.first_failed.push(letter.first_failed_at.as_millis());
        self.died.push(letter.died_at.as_millis());
        self.stored.push(entry.stored_at.as_millis());
        self.times.push(event.map(|event| event.time.as_millis()));
        self.owners.push(letter.owner.as_str());
        self.names.push(letter.name.as_str());
        self.causes.push(CAUSES.iter().find(|(cause, _)| *cause == letter.cause).map_or("", |(_, name)| name));
        self.tenants.push(event.map(|event| event.tenant.as_str()));
        self.types.push(event.map(|event| event.event_type.as_str()));
        self.keys.push(event.and_then(|event| event.key.as_ref()).map(Key::as_str));
        self.errors.push(to_json(&*letter.error)?);
        self.faults.push(undecodable.map(|undecodable| to_json(&undecodable.error)).transpose()?);
        self.metadata.push(event.map(|event| event.metadata.as_str()));
        self.payloads.push(event.map(|event| event.payload.as_str()));
        self.edited.push(letter.edited_payload.as_ref().map(Payload::as_str));
        self.raws.push(undecodable.map(|undecodable| &*undecodable.raw));
        Ok(())
    }

    /// The values in the order of [`ADD`].
    pub(super) fn values(&self) -> [(&(dyn ToSql + Sync), Type); 20] {
        [
            (&self.hold_keys, Type::UUID_ARRAY),
            (&self.event_ids, Type::UUID_ARRAY),
            (&self.seqs, Type::INT8_ARRAY),
            (&self.attempts, Type::INT8_ARRAY),
            (&self.first_failed, Type::INT8_ARRAY),
            (&self.died, Type::INT8_ARRAY),
            (&self.stored, Type::INT8_ARRAY),
            (&self.times, Type::INT8_ARRAY),
            (&self.owners, Type::TEXT_ARRAY),
            (&self.names, Type::TEXT_ARRAY),
            (&self.causes, Type::TEXT_ARRAY),
            (&self.tenants, Type::TEXT_ARRAY),
            (&self.types, Type::TEXT_ARRAY),
            (&self.keys, Type::TEXT_ARRAY),
            (&self.errors, Type::TEXT_ARRAY),
            (&self.faults, Type::TEXT_ARRAY),
            (&self.metadata, Type::TEXT_ARRAY),
            (&self.payloads, Type::TEXT_ARRAY),
            (&self.edited, Type::TEXT_ARRAY),
            (&self.raws, Type::BYTEA_ARRAY),
        ]
    }
}

/// Dead letters by rising id.
pub(super) async fn page(pool: &Pool, query: &DeadLetterQuery) -> Result<Page<DeadLetter>> {
    let after = i64::try_from(query.after_id).unwrap_or(i64::MAX);
    let one_more = i64::try_from(query.limit).unwrap_or(i64::MAX).saturating_add(1);
    let owner = query.owner.as_ref().map(Owner::as_str);
    let name = query.name.as_ref().map(SubscriptionName::as_str);
    let subscription = query.subscription.map(|subscription| subscription.0);
    let tenant = query.tenant.as_ref().map(TenantId::as_str);
    let event_type = query.event_type.as_ref().map(EventType::as_str);
    let before = query.before.map(|before| before.as_millis());
    let filters: [(&str, bool, &(dyn ToSql + Sync), Type); 6] = [
        ("owner =", owner.is_some(), &owner, Type::TEXT),
        ("name =", name.is_some(), &name, Type::TEXT),
        ("subscription =", subscription.is_some(), &subscription, Type::UUID),
        ("tenant =", tenant.is_some(), &tenant, Type::TEXT),
        ("type =", event_type.is_some(), &event_type, Type::TEXT),
        ("died_at <", before.is_some(), &before, Type::INT8),
    ];
    let mut sql = format!("SELECT {COLUMNS} FROM {{schema}}.dead_letters WHERE id > $1");
    let mut values: Vec<(&(dyn ToSql + Sync), Type)> = vec![(&after, Type::INT8), (&one_more, Type::INT8)];
    for (condition, _, value, value_type) in filters.into_iter().filter(|(_, is_asked, ..)| *is_asked) {
        values.push((value, value_type));
        sql += &format!(" AND {condition} ${}", values.len());
    }
    sql += " ORDER BY id LIMIT $2";
    let rows = pool.read(&sql, &values).await?;
    let more = rows.len() > query.limit;
    let items = rows.iter().take(query.limit).map(letter).collect::<Result<_>>()?;
    Ok(Page { items, more })
}

pub(super) async fn count_of(pool: &Pool, subscription: SubscriptionId) -> Result<u64> {
    let sql = "SELECT count(*) FROM {schema}.dead_letters WHERE subscription = $1";
    unsigned(&only(pool.read(sql, &[(&subscription.0, Type::UUID)]).await?)?, 0)
}

pub(super) async fn by_id(pool: &Pool, id: u64) -> Result<Option<DeadLetter>> {
    let sql = format!("SELECT {COLUMNS} FROM {{schema}}.dead_letters WHERE id = $1");
    let rows = pool.read(&sql, &[(&id.cast_signed(), Type::INT8)]).await?;
    rows.first().map(letter).transpose()
}

pub(super) async fn by_place(
    pool: &Pool,
    subscription: SubscriptionId,
    lane: LaneId,
    seq: Seq,
) -> Result<Option<DeadLetter>> {
    let sql =
        format!("SELECT {COLUMNS} FROM {{schema}}.dead_letters WHERE subscription = $1 AND lane = $2 AND seq = $3");
    let (lane, seq) = (i32::from(lane.0), seq.cast_signed());
    let rows = pool.read(&sql, &[(&subscription.0, Type::UUID), (&lane, Type::INT4), (&seq, Type::INT8)]).await?;
    rows.first().map(letter).transpose()
}

/// Sets the payload that a retry delivers; false if the dead letter is not there.
pub(super) async fn edit(pool: &Pool, id: u64, payload: &Payload) -> Result<bool> {
    let sql = "UPDATE {schema}.dead_letters SET edited_payload = $2 WHERE id = $1 RETURNING true";
    let rows = pool.write(sql, &[(&id.cast_signed(), Type::INT8), (&payload.as_str(), Type::TEXT)]).await?;
    Ok(!rows.is_empty())
}

/// Removes a dead letter whose subscription is gone; false if it is not there or its subscription is.
pub(super) async fn remove_orphan(pool: &Pool, id: u64) -> Result<bool> {
    let sql = "DELETE FROM {schema}.dead_letters AS d
               WHERE d.id = $1 AND NOT EXISTS (SELECT FROM {schema}.subscriptions AS s WHERE s.id = d.subscription)
               RETURNING true";
    let rows = pool.write(sql, &[(&id.cast_signed(), Type::INT8)]).await?;
    Ok(!rows.is_empty())
}

fn letter(row: &Row) -> Result<DeadLetter> {
    let attempts: i64 = column(row, 9)?;
    let cause: &str = column(row, 12)?;
    let known = CAUSES.iter().find(|(_, name)| *name == cause);
    let entry = Entry { lane: lane(row, 2)?, seq: unsigned(row, 3)?, stored_at: time(row, 13)?, body: body(row)? };
    Ok(DeadLetter {
        id: unsigned(row, 0)?,
        subscription: SubscriptionId(column(row, 1)?),
        owner: Owner::from_store(column(row, 4)?),
        name: SubscriptionName::from_store(column::<&str>(row, 5)?),
        entry: Arc::new(entry),
        key: KeyId(wide(row, 6)?),
        edited_payload: column::<Option<&str>>(row, 7)?.map(Payload::from_store),
        error: json::<String>(row, 8)?.into(),
        attempts: u32::try_from(attempts).map_err(|error| unreadable(row, 9, &error))?,
        first_failed_at: time(row, 10)?,
        died_at: time(row, 11)?,
        cause: known.map(|(cause, _)| *cause).ok_or_else(|| unreadable(row, 12, &format!("holds `{cause}`")))?,
    })
}

fn body(row: &Row) -> Result<Body> {
    let Some(id) = column::<Option<Uuid>>(row, 14)? else {
        let (fault, raw): (&str, &[u8]) = (column(row, 21)?, column(row, 22)?);
        return Ok(Body::Undecodable(Undecodable { raw: raw.into(), error: from_json(fault)? }));
    };
    Ok(Body::Event(Arc::new(Event {
        id,
        tenant: TenantId::from_store(column::<&str>(row, 15)?),
        event_type: EventType::from_store(column::<&str>(row, 16)?),
        key: column::<Option<&str>>(row, 17)?.map(Key::from_store),
        time: time(row, 18)?,
        metadata: Metadata::from_store(column(row, 19)?),
        payload: Payload::from_store(column::<&str>(row, 20)?),
    })))
}
