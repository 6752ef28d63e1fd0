use std::{sync::Arc, time::Duration};

use busway_core::{Event, EventType, LaneId, Log, Metadata, Outbox, Payload, Seam, Seq, TenantId, Timestamp};
use busway_engine::{Config as EngineConfig, Engine};
use busway_testbed::postgres::Server;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::{calls::Desk, shop::PATIENCE};

const HOUR: Duration = Duration::from_secs(3_600);
/// More than one statement looks at.
const MANY: u64 = 100_000;

/// Notes events as met so long ago.
async fn met(client: &Client, subscription: &str, count: u64, ago: &str) {
    let sql = format!(
        "INSERT INTO busway.first_times (subscription, event_id, tenant, at)
         SELECT '{subscription}', gen_random_uuid(), 'acme', now() - interval '{ago}' FROM generate_series(1, {count})"
    );
    client.batch_execute(&sql).await.unwrap();
}

fn event() -> Arc<Event> {
    Arc::new(Event {
        id: Uuid::now_v7(),
        event_type: EventType::new("made").unwrap(),
        tenant: TenantId::new("acme").unwrap(),
        key: None,
        time: Seam::system().now(),
        payload: Payload::from_json("{}").unwrap(),
        metadata: Metadata::default(),
    })
}

/// Whose marks are left.
async fn left(client: &Client) -> Vec<(String, i64)> {
    let sql = "SELECT subscription, count(*) FROM busway.first_times GROUP BY 1 ORDER BY 1";
    client.query(sql, &[]).await.unwrap().iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[tokio::test]
async fn marks_older_than_the_retention_are_forgotten_by_whoever_relays() {
    let Some(server) = Server::shared() else { return };
    let desk = Desk::open(server).await;
    met(&desk.client, "old", 5, "61 min").await;
    met(&desk.client, "young", 7, "59 min").await;
    let config = EngineConfig { retention: Some(HOUR), ..EngineConfig::default() };
    let engine = Engine::start(desk.store.stores(), config, Seam::system()).await.unwrap();
    let forgotten = async {
        while left(&desk.client).await != [("young".to_owned(), 7)] {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, forgotten).await.expect("old marks stay");
    engine.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_mark_is_kept_as_long_as_an_event_of_its_time() {
    let Some(server) = Server::shared() else { return };
    let desk = Desk::open(server).await;
    met(&desk.client, "before", 1, "1 min").await;
    desk.store.append(&[event()]).await.unwrap();
    met(&desk.client, "after", 1, "0 min").await;
    assert_eq!(desk.store.forget_first_times(Timestamp::MAX).await.unwrap(), 1);
    assert_eq!(left(&desk.client).await, [("after".to_owned(), 1)]);
    for lane in (0..desk.store.lanes()).map(LaneId) {
        desk.store.prune(lane, Seq::MAX, Timestamp::MAX).await.unwrap();
    }
    assert_eq!(desk.store.forget_first_times(Timestamp::MAX).await.unwrap(), 1);
}

#[tokio::test]
async fn many_marks_are_forgotten_by_small_statements_wherever_they_lie() {
    let Some(server) = Server::shared() else { return };
    let desk = Desk::open(server).await;
    for (subscription, ago) in [("old", "3 h"), ("young", "1 min"), ("old", "2 h")] {
        met(&desk.client, subscription, MANY, ago).await;
    }
    let before = Seam::system().now() - HOUR;
    assert_eq!(desk.store.forget_first_times(before).await.unwrap(), 2 * MANY);
    assert_eq!(left(&desk.client).await, [("young".to_owned(), MANY as i64)]);
    assert_eq!(desk.store.forget_first_times(before).await.unwrap(), 0);
}
