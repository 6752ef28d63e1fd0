//! The loops that the backend is measured against: one connection in a tight loop, as somebody would write it by hand.

use std::{
    hint::black_box,
    time::{Duration, Instant, SystemTime},
};

use busway_core::lane_of;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::{database::Fresh, events};

const LANES: u16 = 8;
/// Rows that are stored or read at once.
const BATCH: usize = 1_000;
const TABLE: &str = "CREATE TABLE raw (LIKE busway.domain_events, PRIMARY KEY (lane, seq), UNIQUE (id, tenant));
    CREATE TABLE raw_positions (lane smallint PRIMARY KEY, seq bigint NOT NULL);
    INSERT INTO raw_positions SELECT generate_series(0, 7), 0";
const INSERT: &str = "INSERT INTO raw (seq, stored_at, time, id, lane, tenant, type, key, metadata, payload)
    SELECT * FROM unnest($1::bigint[], $2::timestamptz[], $2::timestamptz[], $3::uuid[], $4::smallint[], $5::text[],
                         $6::text[], $7::text[], $8::text[], $9::text[])";
/// Compared as a pair, so that the planner walks the index.
const READ: &str = "SELECT seq, stored_at, time, id, tenant, type, key, metadata, payload FROM busway.domain_events_1
    WHERE (lane, seq) > ($1, $2) AND (lane, seq) < ($1 + 1::smallint, 0) ORDER BY lane, seq LIMIT $3";
const MOVE: &str = "UPDATE raw_positions SET seq = $2 WHERE lane = $1";

/// Stores batch after batch in a table with the columns and indexes of the log; returns how many rows a second.
pub(crate) async fn publish(fresh: &Fresh, window: Duration) -> f64 {
    let client = fresh.client().await;
    client.batch_execute(TABLE).await.unwrap();
    let insert = client.prepare(INSERT).await.unwrap();
    let events = events::stored(BATCH);
    let lane = |event: &busway_core::Event| lane_of(&event.tenant, event.key.as_ref(), &event.event_type, LANES);
    let lanes: Vec<i16> = events.iter().map(|event| lane(event).0.cast_signed()).collect();
    let tenants: Vec<&str> = events.iter().map(|event| event.tenant.as_str()).collect();
    let types: Vec<&str> = events.iter().map(|event| event.event_type.as_str()).collect();
    let keys: Vec<Option<&str>> = events.iter().map(|event| event.key.as_ref().map(|key| key.as_str())).collect();
    let metadata: Vec<Option<&str>> = vec![None; BATCH];
    let payloads: Vec<&str> = events.iter().map(|event| event.payload.as_str()).collect();
    let begun = Instant::now();
    let mut stored = 0;
    while begun.elapsed() < window {
        let seqs: Vec<i64> = (stored as i64..).take(BATCH).collect();
        let times = vec![SystemTime::now(); BATCH];
        let ids: Vec<Uuid> = (0..BATCH).map(|_| Uuid::now_v7()).collect();
        let values: &[&(dyn tokio_postgres::types::ToSql + Sync)] =
            &[&seqs, &times, &ids, &lanes, &tenants, &types, &keys, &metadata, &payloads];
        client.execute(&insert, values).await.unwrap();
        stored += BATCH;
    }
    stored as f64 / begun.elapsed().as_secs_f64()
}

/// Reads every event of the log, a lane after the other, and writes its position after each batch; returns how long that
/// took.
pub(crate) async fn deliver(fresh: &Fresh, events: usize) -> Duration {
    let client = fresh.client().await;
    client.batch_execute(TABLE).await.unwrap();
    let read = client.prepare(READ).await.unwrap();
    let position = client.prepare(MOVE).await.unwrap();
    let begun = Instant::now();
    let mut count = 0;
    for lane in 0..LANES.cast_signed() {
        let mut after = 0_i64;
        while let Some((rows, last)) = next(&client, &read, lane, after).await {
            client.execute(&position, &[&lane, &last]).await.unwrap();
            (count, after) = (count + rows, last);
        }
    }
    assert_eq!(count, events);
    begun.elapsed()
}

/// How many rows, and the last one's seq.
async fn next(client: &Client, read: &tokio_postgres::Statement, lane: i16, after: i64) -> Option<(usize, i64)> {
    let rows = client.query(read, &[&lane, &after, &(BATCH as i64)]).await.unwrap();
    for row in &rows {
        let times: [SystemTime; 2] = [row.get(1), row.get(2)];
        let words: [&str; 3] = [row.get(4), row.get(5), row.get(8)];
        let perhaps: [Option<&str>; 2] = [row.get(6), row.get(7)];
        black_box((row.get::<_, Uuid>(3), times, words, perhaps));
    }
    rows.last().map(|row| (rows.len(), row.get(0)))
}
