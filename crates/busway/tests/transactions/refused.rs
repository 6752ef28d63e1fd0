use busway::{ErrorKind, NewEvent};
use busway_testbed::postgres::Server;
use serde_json::json;
use sqlx::{Connection, PgConnection};

use super::{OrderPlaced, Shop};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_event_is_refused_before_the_transaction_is_harmed() {
    let Some(shop) = Shop::open().await else { return };
    let mut client = shop.database.client().await;
    let mut tx = client.transaction().await.unwrap();
    let acme = shop.bus.tenant("acme");
    let odd = [
        (acme.publish(NewEvent::new("a..b", json!({}))), ErrorKind::InvalidEvent, "/type"),
        (acme.publish(NewEvent::new("a", json!([]))), ErrorKind::InvalidEvent, "/payload"),
        (acme.publish(NewEvent::new("a", json!({"a": "x".repeat(300_000)}))), ErrorKind::InvalidEvent, "/payload"),
        (acme.publish(NewEvent::new("a", json!({})).tenant("other")), ErrorKind::Forbidden, "/tenantId"),
    ];
    for (publish, kind, field) in odd {
        let error = publish.within(&mut tx).await.unwrap_err();
        assert_eq!((error.kind(), error.fields()[0].pointer.as_str()), (kind, field));
    }
    let several = [NewEvent::new("a", json!({})), NewEvent::new("a", json!(7))];
    let error = acme.publish_all(several).within(&mut tx).await.unwrap_err();
    assert_eq!(error.fields()[0].index, Some(1));
    let id = acme.publish(OrderPlaced { order: 1, n: 1 }).within(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(shop.heard.until(1).await, [(id, 1)]);
    shop.bus.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_without_an_outbox_says_so() {
    let Some(shop) = Shop::open().await else { return };
    let memory = busway::open("memory:").await.unwrap();
    let mut client = shop.database.client().await;
    let mut tx = client.transaction().await.unwrap();
    let error = memory.publish(OrderPlaced { order: 1, n: 1 }).within(&mut tx).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.detail().contains("in-memory"), "{error}");
    tx.commit().await.unwrap();
    memory.shutdown().await.unwrap();
    shop.bus.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_cannot_reach_the_outbox_is_told_why() {
    let Some(shop) = Shop::open().await else { return };
    let elsewhere = Server::shared().unwrap().database();
    let publish = || shop.bus.publish(OrderPlaced { order: 1, n: 1 });

    let mut client = elsewhere.client().await;
    let mut tx = client.transaction().await.unwrap();
    let error = publish().within(&mut tx).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
    assert!(error.detail().contains("another database"), "{error}");
    let error = publish().within(&mut tx).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Stale, "{error}");

    let mut connection = PgConnection::connect(&elsewhere.url).await.unwrap();
    let mut tx = connection.begin().await.unwrap();
    let error = publish().within(&mut tx).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{error}");

    let mut client = shop.database.client().await;
    let role = format!("role_{}", shop.database.name);
    client.batch_execute(&format!("create role {role}; set role {role}")).await.unwrap();
    let mut tx = client.transaction().await.unwrap();
    let error = publish().within(&mut tx).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
    assert!(error.detail().contains("GRANT"), "{error}");
    tx.rollback().await.unwrap();
    client.batch_execute(&format!("reset role; drop role {role}")).await.unwrap();

    let sql = "select pg_terminate_backend(pg_backend_pid())";
    let mut tx = client.transaction().await.unwrap();
    tx.batch_execute(sql).await.unwrap_err();
    let error = publish().within(&mut tx).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
    drop(tx);

    let mut connection = PgConnection::connect(&shop.database.url).await.unwrap();
    let mut tx = connection.begin().await.unwrap();
    sqlx::query(sql).execute(&mut *tx).await.unwrap_err();
    let error = publish().within(&mut tx).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
    drop(tx);
    shop.bus.shutdown().await.unwrap();
}
