use std::sync::Arc;

use busway_core::{
    Body, DeadCause, DeadLetter, DeadLetterQuery, Entry, Event, EventType, Key, KeyId, LaneId, Metadata, Owner, Page,
    Payload, Seq, SubscriptionId, SubscriptionName, Undecodable,
};
use rusqlite::{Connection, OptionalExtension, Result as NativeResult, Row, params, types::ToSql};
use uuid::Uuid;

use super::columns::{count, name_of, named, tenant, time, unreadable, unsigned, uuid, wide};

const COLUMNS: &str = "id, subscription, lane, seq, owner, name, hold_key, edited_payload, error, attempts, \
                       first_failed_at, died_at, cause, stored_at, event_id, tenant, type, key, time, metadata, \
                       payload, fault";
const CAUSES: &[(DeadCause, &str)] = &[
    (DeadCause::Attempts, "attempts"),
    (DeadCause::Permanent, "permanent"),
    (DeadCause::Undecodable, "undecodable"),
    (DeadCause::Lost, "lost"),
    (DeadCause::Rejected, "rejected"),
];

/// Adds dead letters; one of the same place is updated and keeps its id and its edit.
pub(super) fn add(connection: &Connection, letters: &[DeadLetter]) -> NativeResult<()> {
    if letters.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "INSERT INTO busway_dead_letters ({COLUMNS})
         VALUES (NULL, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)
         ON CONFLICT (subscription, lane, seq) DO UPDATE SET
             owner = excluded.owner, name = excluded.name, hold_key = excluded.hold_key, error = excluded.error,
             attempts = excluded.attempts, first_failed_at = excluded.first_failed_at, died_at = excluded.died_at,
             cause = excluded.cause, stored_at = excluded.stored_at, event_id = excluded.event_id,
             tenant = excluded.tenant, type = excluded.type, key = excluded.key, time = excluded.time,
             metadata = excluded.metadata, payload = excluded.payload, fault = excluded.fault"
    );
    let mut insert = connection.prepare_cached(&sql)?;
    for letter in letters {
        let entry = &letter.entry;
        let event = entry.event();
        let (payload, fault) = match &entry.body {
            Body::Event(event) => (event.payload.as_str().as_bytes(), None),
            Body::Undecodable(undecodable) => (&*undecodable.raw, Some(&undecodable.error)),
        };
        insert.execute(params![
            letter.subscription.0.as_bytes(),
            entry.lane.0,
            entry.seq.cast_signed(),
            letter.owner.as_str(),
            letter.name.as_str(),
            letter.key.0.to_be_bytes(),
            letter.edited_payload.as_ref().map(|payload| payload.as_str()),
            letter.error,
            letter.attempts,
            letter.first_failed_at.as_millis(),
            letter.died_at.as_millis(),
            name_of(letter.cause, CAUSES),
            entry.stored_at.as_millis(),
            event.map(|event| event.id.into_bytes()),
            event.map(|event| event.tenant.as_str()),
            event.map(|event| event.event_type.as_str()),
            event.and_then(|event| event.key.as_ref()).map(|key| key.as_str()),
            event.map(|event| event.time.as_millis()),
            event.map(|event| event.metadata.as_str()),
            payload,
            fault,
        ])?;
    }
    Ok(())
}

/// Removes the dead letters of these seqs of a lane.
pub(super) fn bury(
    connection: &Connection,
    subscription: SubscriptionId,
    lane: LaneId,
    seqs: &[Seq],
) -> NativeResult<()> {
    for seq in seqs {
        let sql = "DELETE FROM busway_dead_letters WHERE subscription = ?1 AND lane = ?2 AND seq = ?3";
        let place = params![subscription.0.as_bytes(), lane.0, seq.cast_signed()];
        connection.prepare_cached(sql)?.execute(place)?;
    }
    Ok(())
}

/// The seqs of a lane's dead letters, ascending.
pub(super) fn seqs(connection: &Connection, subscription: SubscriptionId, lane: LaneId) -> NativeResult<Vec<Seq>> {
    let sql = "SELECT seq FROM busway_dead_letters WHERE subscription = ?1 AND lane = ?2 ORDER BY seq";
    let mut statement = connection.prepare_cached(sql)?;
    statement.query_map(params![subscription.0.as_bytes(), lane.0], |row| unsigned(row, 0))?.collect()
}

/// Dead letters by rising id.
pub(super) fn page(connection: &Connection, query: &DeadLetterQuery) -> NativeResult<Page<DeadLetter>> {
    let (owner, name) = (query.owner.as_ref().map(Owner::as_str), query.name.as_ref().map(SubscriptionName::as_str));
    let subscription = query.subscription.map(|subscription| subscription.0.into_bytes());
    let tenant = query.tenant.as_ref().map(|tenant| tenant.as_str());
    let event_type = query.event_type.as_ref().map(EventType::as_str);
    let before = query.before.map(|before| before.as_millis());
    let after = i64::try_from(query.after_id).unwrap_or(i64::MAX);
    let one_more = i64::try_from(query.limit).unwrap_or(i64::MAX).saturating_add(1);
    let mut sql = format!("SELECT {COLUMNS} FROM busway_dead_letters WHERE id > ?");
    let mut values: Vec<&dyn ToSql> = vec![&after];
    let filters: [(&str, Option<&dyn ToSql>); 6] = [
        ("owner = ?", owner.as_ref().map(|value| value as &dyn ToSql)),
        ("name = ?", name.as_ref().map(|value| value as &dyn ToSql)),
        ("subscription = ?", subscription.as_ref().map(|value| value as &dyn ToSql)),
        ("tenant = ?", tenant.as_ref().map(|value| value as &dyn ToSql)),
        ("type = ?", event_type.as_ref().map(|value| value as &dyn ToSql)),
        ("died_at < ?", before.as_ref().map(|value| value as &dyn ToSql)),
    ];
    for (condition, value) in filters.into_iter().filter_map(|(condition, value)| value.map(|value| (condition, value)))
    {
        sql = sql + " AND " + condition;
        values.push(value);
    }
    sql += " ORDER BY id LIMIT ?";
    values.push(&one_more);
    let mut statement = connection.prepare_cached(&sql)?;
    let mut items = statement.query_map(&*values, letter)?.collect::<NativeResult<Vec<_>>>()?;
    let more = items.len() > query.limit;
    items.truncate(query.limit);
    Ok(Page { items, more })
}

pub(super) fn count_of(connection: &Connection, subscription: SubscriptionId) -> NativeResult<u64> {
    let sql = "SELECT count(*) FROM busway_dead_letters WHERE subscription = ?1";
    connection.prepare_cached(sql)?.query_row([subscription.0.as_bytes()], |row| unsigned(row, 0))
}

pub(super) fn by_id(connection: &Connection, id: u64) -> NativeResult<Option<DeadLetter>> {
    let sql = format!("SELECT {COLUMNS} FROM busway_dead_letters WHERE id = ?1");
    connection.prepare_cached(&sql)?.query_row([id.cast_signed()], letter).optional()
}

pub(super) fn by_place(
    connection: &Connection,
    subscription: SubscriptionId,
    lane: LaneId,
    seq: Seq,
) -> NativeResult<Option<DeadLetter>> {
    let sql = format!("SELECT {COLUMNS} FROM busway_dead_letters WHERE subscription = ?1 AND lane = ?2 AND seq = ?3");
    let place = params![subscription.0.as_bytes(), lane.0, seq.cast_signed()];
    connection.prepare_cached(&sql)?.query_row(place, letter).optional()
}

/// Sets the payload that a retry delivers; false if the dead letter is not there.
pub(super) fn edit(connection: &Connection, id: u64, payload: &Payload) -> NativeResult<bool> {
    let sql = "UPDATE busway_dead_letters SET edited_payload = ?2 WHERE id = ?1";
    Ok(connection.execute(sql, params![id.cast_signed(), payload.as_str()])? > 0)
}

/// Removes a dead letter whose subscription is gone; false if it is not there or its subscription is.
pub(super) fn remove_orphan(connection: &Connection, id: u64) -> NativeResult<bool> {
    let sql = "DELETE FROM busway_dead_letters WHERE id = ?1
               AND subscription NOT IN (SELECT id FROM busway_subscriptions)";
    Ok(connection.prepare_cached(sql)?.execute([id.cast_signed()])? > 0)
}

fn letter(row: &Row<'_>) -> NativeResult<DeadLetter> {
    let edited: Option<String> = row.get(7)?;
    let error: String = row.get(8)?;
    let entry =
        Entry { lane: LaneId(row.get(2)?), seq: unsigned(row, 3)?, stored_at: time(row, 13)?, body: body(row)? };
    Ok(DeadLetter {
        id: unsigned(row, 0)?,
        subscription: SubscriptionId(uuid(row, 1)?),
        owner: Owner::from_store(&row.get::<_, String>(4)?),
        name: SubscriptionName::from_store(row.get::<_, String>(5)?),
        entry: Arc::new(entry),
        key: KeyId(wide(row, 6)?),
        edited_payload: edited.map(Payload::from_store),
        error: error.into(),
        attempts: count(row, 9)?,
        first_failed_at: time(row, 10)?,
        died_at: time(row, 11)?,
        cause: named(row, 12, CAUSES)?,
    })
}

fn body(row: &Row<'_>) -> NativeResult<Body> {
    let payload: Vec<u8> = row.get(20)?;
    let Some(id) = row.get::<_, Option<[u8; 16]>>(14)? else {
        return Ok(Body::Undecodable(Undecodable { raw: payload.into(), error: row.get(21)? }));
    };
    let payload = String::from_utf8(payload).map_err(|error| unreadable(20, error))?;
    Ok(Body::Event(Arc::new(Event {
        id: Uuid::from_bytes(id),
        tenant: tenant(row, 15)?,
        event_type: EventType::from_store(row.get::<_, String>(16)?),
        key: row.get::<_, Option<String>>(17)?.map(Key::from_store),
        time: time(row, 18)?,
        metadata: Metadata::from_store(&row.get::<_, String>(19)?),
        payload: Payload::from_store(payload),
    })))
}
