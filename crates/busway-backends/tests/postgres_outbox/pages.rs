use busway_core::{Outbox, OutboxMark};
use busway_testbed::postgres::Server;
use serde_json::Value;
use tokio_postgres::Client;

use super::calls::Desk;

/// Publishes in an open transaction.
async fn publish(client: &Client, key: &str) {
    client.query_one("select busway.publish('order.changed', 'acme', key => $1)", &[&key]).await.unwrap();
}

async fn begin(desk: &Desk, key: &str) -> Client {
    let client = desk.database.client().await;
    client.batch_execute("begin").await.unwrap();
    publish(&client, key).await;
    client
}

impl Desk {
    /// Keys of the next page, which is removed.
    async fn next(&self, mark: &mut OutboxMark, max: usize) -> Vec<String> {
        let page = self.store.committed(mark, max).await.unwrap();
        let numbers: Vec<u64> = page.rows.iter().map(|row| row.number).collect();
        self.store.remove(&numbers).await.unwrap();
        *mark = page.mark;
        page.rows.into_iter().map(|row| row.key.unwrap_or_default()).collect()
    }
}

#[tokio::test]
async fn what_is_committed_late_comes_before_what_was_written_after_that() {
    let Some(server) = Server::shared() else { return };
    let desk = Desk::open(server).await;
    for max in [100, 1] {
        let mut mark = OutboxMark::default();
        let late = begin(&desk, "late").await;
        publish(&desk.client, "early").await;
        assert_eq!(desk.next(&mut mark, max).await, ["early"]);
        late.batch_execute("commit").await.unwrap();
        publish(&desk.client, "after").await;
        let mut pages = desk.next(&mut mark, max).await;
        pages.extend(desk.next(&mut mark, max).await);
        assert_eq!(pages, ["late", "after"]);
    }
}

#[tokio::test]
async fn what_is_committed_while_pages_are_read_waits_for_the_last_of_them() {
    let Some(server) = Server::shared() else { return };
    let desk = Desk::open(server).await;
    // Once from the beginning, once on from what was read.
    let mut mark = OutboxMark::default();
    for _ in 0..2 {
        let late = begin(&desk, "late").await;
        for key in ["1", "2", "3"] {
            publish(&desk.client, key).await;
        }
        let mut pages = desk.next(&mut mark, 1).await;
        late.batch_execute("commit").await.unwrap();
        publish(&desk.client, "after").await;
        for _ in 0..9 {
            pages.extend(desk.next(&mut mark, 1).await);
        }
        assert_eq!(pages, ["1", "2", "3", "late", "after"]);
    }
}

#[tokio::test]
async fn rows_of_savepoints_and_prepared_transactions_are_found() {
    let Some(server) = Server::builder().setting("max_prepared_transactions", "4").start() else { return };
    let desk = Desk::open(&server).await;
    let mut mark = OutboxMark::default();
    let client = begin(&desk, "1").await;
    client.batch_execute("savepoint a").await.unwrap();
    publish(&client, "2").await;
    client.batch_execute("release a; savepoint b").await.unwrap();
    publish(&client, "rolled back").await;
    client.batch_execute("rollback to b; prepare transaction 'two'").await.unwrap();
    publish(&desk.client, "3").await;
    assert_eq!(desk.next(&mut mark, 100).await, ["3"]);
    desk.client.batch_execute("commit prepared 'two'").await.unwrap();
    assert_eq!(desk.next(&mut mark, 100).await, ["1", "2"]);
}

#[tokio::test]
async fn rows_of_a_restored_dump_are_given_from_the_beginning() {
    let Some(server) = Server::shared() else { return };
    let desk = Desk::open(server).await;
    let mut mark = OutboxMark::default();
    publish(&desk.client, "own").await;
    // Transactions of another server: long ago here, and far ahead.
    let sql = "insert into busway.outbox (transaction, type, key) values ('3', 'a', 'old'), ('4000000000', 'a', 'new')";
    desk.client.batch_execute(sql).await.unwrap();
    assert_eq!(desk.next(&mut mark, 1).await, ["own"]);
    let mut others = desk.next(&mut mark, 1).await;
    others.extend(desk.next(&mut mark, 1).await);
    assert_eq!(others, ["old", "new"]);
}

#[tokio::test]
async fn a_page_has_no_more_bytes_than_fit() {
    let Some(server) = Server::shared() else { return };
    let desk = Desk::open(server).await;
    let sql = "select busway.publish('a', 'b', format('{\"a\":\"%s\"}', repeat('x', 262000)), n::text)
               from generate_series(1, 150) as n";
    desk.client.query(sql, &[]).await.unwrap();
    let (mut mark, mut sizes, mut keys) = (OutboxMark::default(), Vec::new(), Vec::new());
    loop {
        let page = desk.next(&mut mark, 1_000).await;
        if page.is_empty() {
            break;
        }
        sizes.push(page.len());
        keys.extend(page);
    }
    assert_eq!(keys, (1..=150).map(|n| n.to_string()).collect::<Vec<_>>());
    assert!(sizes.iter().all(|size| *size <= 65) && sizes.len() == 3, "{sizes:?}");
}

/// Blocks that a statement touched.
async fn blocks(client: &Client, sql: &str) -> u64 {
    let sql = format!("explain (analyze, buffers, format json) {sql}");
    let plan: Value = serde_json::from_str(&explained(client, &sql).await).unwrap();
    let of = |name: &str| plan[0]["Plan"][name].as_u64().unwrap();
    of("Shared Hit Blocks") + of("Shared Read Blocks")
}

async fn explained(client: &Client, sql: &str) -> String {
    let lines = client.simple_query(sql).await.unwrap();
    let text = lines.iter().find_map(|line| match line {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    text.unwrap().to_owned()
}

#[tokio::test]
async fn an_open_transaction_makes_no_page_dearer() {
    let Some(server) = Server::shared() else { return };
    let desk = Desk::open(server).await;
    let mut mark = OutboxMark::default();
    let held = desk.database.client().await;
    // It has written, and it holds a snapshot: nothing that is removed from now on can be cleared away.
    let hold = "begin isolation level repeatable read; select busway.publish('order.changed', key => 'held')";
    held.batch_execute(hold).await.unwrap();
    for _ in 0..20 {
        let sql = "select count(busway.publish('order.changed', key => n::text)) from generate_series(1, 1000) as n";
        desk.client.query_one(sql, &[]).await.unwrap();
        assert_eq!(desk.next(&mut mark, 2_000).await.len(), 1_000);
    }
    publish(&desk.client, "last").await;
    let after = format!("select * from busway.outbox_after('{}', 1000)", mark.0);
    let from_the_beginning = "select * from busway.outbox_within(null, 0, 1000)";
    // Plans are made at the first call.
    blocks(&desk.client, &after).await;
    blocks(&desk.client, from_the_beginning).await;
    let (page, whole) = (blocks(&desk.client, &after).await, blocks(&desk.client, from_the_beginning).await);
    println!("blocks of a page: {page}, of a look at everything: {whole}");
    assert!(page < 50 && whole > 5 * page, "{page} of {whole}");
    // Nor where statistics say that nearly everything is new.
    desk.client.batch_execute("analyze busway.outbox").await.unwrap();
    let other = desk.database.client().await;
    blocks(&other, &after).await;
    let page = blocks(&other, &after).await;
    assert!(page < 50, "{page} of {whole}");
    assert_eq!(desk.next(&mut mark, 100).await, ["last"]);
    held.batch_execute("commit").await.unwrap();
    assert_eq!(desk.next(&mut mark, 100).await, ["held"]);
}
