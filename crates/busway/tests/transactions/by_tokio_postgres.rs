use busway::{NewEvent, SECOND, Seam};

use super::{OrderPlaced, Shop};

#[tokio::test(flavor = "multi_thread")]
async fn what_a_transaction_of_tokio_postgres_publishes_is_heard_once_it_is_committed() {
    let Some(shop) = Shop::open().await else { return };
    let mut client = shop.database.client().await;
    let acme = shop.bus.tenant("acme");
    let mut ids = Vec::new();
    for n in 0..10 {
        let mut tx = client.transaction().await.unwrap();
        let id = acme.publish(OrderPlaced { order: 1, n }).within(&mut tx).await.unwrap();
        if n % 2 == 0 {
            tx.commit().await.unwrap();
            ids.push((id, n));
        } else {
            tx.rollback().await.unwrap();
        }
    }
    let mut tx = client.transaction().await.unwrap();
    let at = Seam::system().now() - SECOND;
    let full = acme.publish(OrderPlaced { order: 2, n: 10 }).key("k").at(at).actor("user", "ada").within(&mut tx).await;
    let more = [NewEvent::from(OrderPlaced { order: 3, n: 11 }), NewEvent::from(OrderPlaced { order: 3, n: 12 })];
    let more = acme.publish_all(more).within(&mut tx).await.unwrap();
    assert_eq!(shop.heard.until(5).await, ids);
    tx.commit().await.unwrap();
    ids.push((full.unwrap(), 10));
    ids.extend(more.into_iter().zip(11..));
    let mut heard = shop.heard.until(8).await;
    heard.sort_by_key(|(_, n)| *n);
    assert_eq!(heard, ids);
    let events = shop.heard.events.lock().unwrap().clone();
    let event = events.iter().find(|event| event.payload.n == 10).unwrap();
    assert_eq!((event.tenant.as_str(), event.time), ("acme", at));
    assert_eq!(event.metadata.get("actorId").as_deref(), Some("ada"));
    shop.bus.shutdown().await.unwrap();
}
