use std::sync::{Arc, Mutex};

use busway::{Context, Event, EventType, Listener, Result, retry_in};
use serde::{Deserialize, Serialize};
use tokio_postgres::Client;

use super::{OrderPlaced, Shop};

#[derive(EventType, Serialize, Deserialize)]
#[event("order.shipped")]
struct OrderShipped {
    #[event(key)]
    order: u32,
}

/// Books an order and tells of it in one transaction, and fails after that the first time.
struct Books {
    client: tokio::sync::Mutex<Client>,
    asked: Arc<Mutex<Vec<bool>>>,
}

impl Listener<OrderPlaced> for Books {
    async fn handle(&self, event: Event<OrderPlaced>, cx: Context) -> Result {
        let mut client = self.client.lock().await;
        let mut tx = client.transaction().await?;
        let is_first = cx.first_time(&mut tx).await?;
        self.asked.lock().unwrap().push(is_first);
        if is_first {
            let order = event.payload.order;
            tx.execute("insert into booked values ($1)", &[&(order as i32)]).await?;
            cx.publish(OrderShipped { order }).within(&mut tx).await?;
        }
        tx.commit().await?;
        if cx.attempt() == 1 { Err(retry_in(std::time::Duration::ZERO)) } else { Ok(()) }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_listener_does_in_its_transaction_at_the_first_time_is_done_once() {
    let Some(shop) = Shop::open().await else { return };
    let client = shop.database.client().await;
    client.batch_execute("create table booked (n int)").await.unwrap();
    let asked: Arc<Mutex<Vec<bool>>> = Arc::default();
    let books = Books { client: tokio::sync::Mutex::new(client), asked: asked.clone() };
    shop.bus.subscribe("books", books).await.unwrap();
    let shipped: Arc<Mutex<Vec<Event<OrderShipped>>>> = Arc::default();
    let noted = shipped.clone();
    let note = move |event: Event<OrderShipped>, _: Context| {
        noted.lock().unwrap().push(event);
        async { Ok(()) }
    };
    shop.bus.subscribe("shipping", note).await.unwrap();
    let published = [
        shop.bus.tenant("acme").publish(OrderPlaced { order: 1, n: 1 }).await.unwrap(),
        shop.bus.tenant("hill").publish(OrderPlaced { order: 2, n: 2 }).id(uuid::Uuid::nil()).await.unwrap(),
        shop.bus.tenant("acme").publish(OrderPlaced { order: 3, n: 3 }).id(uuid::Uuid::nil()).await.unwrap(),
    ];
    let seam = busway::Seam::system();
    for _ in 0..3_000 {
        if shipped.lock().unwrap().len() == 3 && asked.lock().unwrap().len() == 6 {
            break;
        }
        seam.clock().sleep(std::time::Duration::from_millis(10)).await;
    }
    shop.bus.idle().await.unwrap();
    let client = shop.database.client().await;
    let booked = client.query("select n from booked order by n", &[]).await.unwrap();
    assert_eq!(booked.iter().map(|row| row.get(0)).collect::<Vec<i32>>(), [1, 2, 3]);
    assert_eq!(asked.lock().unwrap().iter().filter(|first| **first).count(), 3);
    let shipped = std::mem::take(&mut *shipped.lock().unwrap());
    assert_eq!(shipped.len(), 3);
    for event in shipped {
        let cause = published[event.payload.order as usize - 1].id.to_string();
        assert_eq!(event.metadata.get("causationId"), Some(cause));
    }
    shop.bus.shutdown().await.unwrap();
}
