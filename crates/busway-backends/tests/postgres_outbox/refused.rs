use std::time::Duration;

use busway_core::{DeadCause, DeadLetter, DeadLetterQuery, Payload, SubscriptionName};
use busway_engine::Engine;
use busway_testbed::postgres::Server;
use uuid::Uuid;

use super::shop::{PATIENCE, Shop};

/// Looks again and again until so many dead letters of the outbox are there.
async fn letters(engine: &Engine, count: usize) -> Vec<DeadLetter> {
    let name = Some(SubscriptionName::new("outbox").unwrap());
    let query = DeadLetterQuery { name, limit: 100, ..DeadLetterQuery::default() };
    let looking = async {
        loop {
            let letters = engine.dead_letters(&query).await.unwrap().items;
            if letters.len() == count {
                return letters;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_written_by_hand_and_refused_is_a_dead_letter_that_can_be_mended_and_retried() {
    let Some(server) = Server::shared() else { return };
    let shop = Shop::open(server).await;
    let (client, engine) = (shop.client().await, &shop.engine);
    let sql = "insert into busway.outbox (type, tenant, payload, key) values
                   ('order.changed', 'acme', '{\"key\": \"o1\", \"n\": 1}', 'o1'),
                   ('order.changed', 'acme', 'nonsense', 'o1'),
                   ('order..changed', 'acme', '{}', null),
                   ('order.changed', 'acme', '{\"key\": \"o1\", \"n\": 3}', 'o1')
               returning id";
    let ids: Vec<Uuid> = client.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    let found = letters(engine, 2).await;
    shop.heard.until(2).await;
    assert_eq!(shop.heard.all(), [(ids[0], "o1".into(), 1), (ids[3], "o1".into(), 3)]);
    assert!(found[0].error.starts_with("/payload must be a JSON object"), "{}", found[0].error);
    assert!(found[1].error.starts_with("/type \"order..changed\""), "{}", found[1].error);
    assert!(found.iter().all(|letter| letter.cause == DeadCause::Rejected));
    assert_eq!(found[0].entry.event().unwrap().id, ids[1]);
    assert_eq!(found[0].entry.event().unwrap().payload.as_str(), "\"nonsense\"");
    let left = client.query_one("select count(*) from busway.outbox", &[]).await.unwrap();
    assert_eq!(left.get::<_, i64>(0), 0);

    let mended = Payload::from_json(r#"{"key": "o1", "n": 2}"#).unwrap();
    engine.edit_dead_letter(None, found[0].id, mended).await.unwrap();
    engine.retry_dead_letter(None, found[0].id).await.unwrap();
    engine.discard_dead_letter(None, found[1].id).await.unwrap();
    letters(engine, 0).await;
    shop.heard.until(3).await;
    assert_eq!(shop.heard.all()[2], (ids[1], "o1".into(), 2));
    engine.shutdown().await.unwrap();
}
