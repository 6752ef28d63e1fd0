use sqlx::{Connection, PgConnection};

use super::{OrderPlaced, Shop};

#[tokio::test(flavor = "multi_thread")]
async fn what_a_transaction_of_sqlx_publishes_is_heard_once_it_is_committed() {
    let Some(shop) = Shop::open().await else { return };
    let mut connection = PgConnection::connect(&shop.database.url).await.unwrap();
    let acme = shop.bus.tenant("acme");
    let mut ids = Vec::new();
    for n in 0..10 {
        let mut tx = connection.begin().await.unwrap();
        sqlx::query("create table if not exists orders (n int)").execute(&mut *tx).await.unwrap();
        let id = acme.publish(OrderPlaced { order: 1, n }).within(&mut tx).await.unwrap();
        if n % 2 == 0 {
            tx.commit().await.unwrap();
            ids.push((id, n));
        } else {
            tx.rollback().await.unwrap();
        }
    }
    assert_eq!(shop.heard.until(5).await, ids);
    shop.bus.shutdown().await.unwrap();
}
