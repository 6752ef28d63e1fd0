use std::sync::Arc;

use busway_backends::postgres::{Config, Postgres};
use busway_core::{Outbox, OutboxMark, OutboxRow, Seam, Timestamp};
use busway_testbed::postgres::{Database, Server};
use tokio_postgres::{Client, error::SqlState};
use uuid::Uuid;

/// A store that nobody relays, and a caller's connection.
pub(crate) struct Desk {
    pub(crate) store: Arc<Postgres>,
    pub(crate) database: Database,
    pub(crate) client: Client,
}

impl Desk {
    pub(crate) async fn open(server: &Server) -> Self {
        let database = server.database();
        let config = Config::from_url(&format!("{}?pool=2", database.url)).unwrap();
        let store = Postgres::open(config, Seam::system()).await.unwrap();
        Self { store, client: database.client().await, database }
    }

    /// What was published since this was last asked.
    async fn published(&self) -> Vec<OutboxRow> {
        let rows = self.store.committed(&OutboxMark::default(), 100).await.unwrap().rows;
        let numbers: Vec<u64> = rows.iter().map(|row| row.number).collect();
        self.store.remove(&numbers).await.unwrap();
        rows
    }
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn row(payload: &str) -> OutboxRow {
    OutboxRow { event_type: text("order.changed"), payload: text(payload), ..OutboxRow::default() }
}

#[tokio::test]
async fn arguments_are_named_placed_left_out_and_typed_in_every_way() {
    let Some(server) = Server::shared() else { return };
    let desk = Desk::open(server).await;
    let kept = r#"{ "b": 1, "a": "\u0000", "b": 2 }"#;
    let acme = |payload| OutboxRow { tenant: text("acme"), ..row(payload) };
    let tidy = r#"{"n": 1}"#;
    let calls = [
        ("'order.changed'".to_owned(), row("{}")),
        ("'order.changed', 'acme'".into(), acme("{}")),
        (format!("'order.changed', 'acme', '{kept}'"), acme(kept)),
        (format!("'order.changed', 'acme', '{kept}'::text"), acme(kept)),
        (format!("'order.changed', 'acme', '{kept}'::varchar"), acme(kept)),
        (format!("'order.changed', 'acme', '{kept}'::json"), acme(kept)),
        ("'order.changed', 'acme', '{\"n\":1}'::jsonb".into(), acme(tidy)),
        ("'order.changed', 'acme', jsonb_build_object('n', 1)".into(), acme(tidy)),
        ("'order.changed', null, '{\"n\":1}'::jsonb".into(), row(tidy)),
        ("'order.changed', '{\"n\":1}'::jsonb".into(), row(tidy)),
        ("type => 'order.changed'".into(), row("{}")),
        ("type => 'order.changed', tenant => 'acme'".into(), acme("{}")),
        (format!("type => 'order.changed', payload => '{kept}'"), row(kept)),
        ("type => 'order.changed', payload => '{\"n\":1}'::jsonb".into(), row(tidy)),
        (format!("payload => '{kept}'::json, type => 'order.changed'"), row(kept)),
        (
            "'order.changed', 'acme', '{}', 'o1', '{\"actorId\":\"ada\"}'".into(),
            OutboxRow { key: text("o1"), metadata: text("{\"actorId\":\"ada\"}"), ..acme("{}") },
        ),
        (
            "type => 'order.changed', key => 'o1', metadata => '{\"hops\":1}'".into(),
            OutboxRow { key: text("o1"), metadata: text("{\"hops\":1}"), ..row("{}") },
        ),
        (
            "'order.changed', payload => '{}'::jsonb, metadata => jsonb_build_object('actorId', 'ada')".into(),
            OutboxRow { metadata: text("{\"actorId\": \"ada\"}"), ..row("{}") },
        ),
        (
            "'order.changed', 'acme', '{\"n\":1}', metadata => '{}'::jsonb".into(),
            OutboxRow { metadata: text("{}"), ..acme(tidy) },
        ),
    ];
    for (arguments, expected) in calls {
        let answer = desk.client.query_one(&format!("select busway.publish({arguments})"), &[]).await;
        let id: Uuid = answer.unwrap_or_else(|error| panic!("{arguments}: {error:?}")).get(0);
        let published = desk.published().await.remove(0);
        assert_eq!((id, id.get_version_num()), (published.id, 7), "{arguments}");
        assert!(published.time.is_some());
        let expected = OutboxRow { id, number: published.number, time: published.time, ..expected };
        assert_eq!(published, expected, "{arguments}");
    }
    let id = Uuid::now_v7();
    let sql = r#"select busway.publish('order.changed', id => $1, "time" => '2026-01-31 12:00:00.0015+00')"#;
    assert_eq!(desk.client.query_one(sql, &[&id]).await.unwrap().get::<_, Uuid>(0), id);
    let published = desk.published().await.remove(0);
    assert_eq!((published.id, published.time), (id, Some(Timestamp::from_millis(1_769_860_800_001))));
}

#[tokio::test]
async fn parameters_without_a_type_are_texts() {
    let Some(server) = Server::shared() else { return };
    let desk = Desk::open(server).await;
    for (sql, count) in [("$1", 1), ("$1, $2, $3", 3), ("$1, $2, $3, $4, $5", 5), ("type => $1, tenant => $2", 2)] {
        let statement = desk.client.prepare(&format!("select busway.publish({sql})")).await.unwrap();
        let names: Vec<&str> = statement.params().iter().map(|parameter| parameter.name()).collect();
        assert_eq!(names, vec!["text"; count]);
    }
}

#[tokio::test]
async fn what_cannot_be_an_event_is_refused_by_the_name_of_its_argument() {
    let Some(server) = Server::shared() else { return };
    let desk = Desk::open(server).await;
    let refused = [
        ("null", "type", "it is NULL"),
        ("''", "type", "such as ticket.created; it is ''"),
        ("'a..b'", "type", "it is 'a..b'"),
        ("E'a\\n'", "type", "it is 'a\n'"),
        ("repeat('a', 65)", "type", "up to 64 each"),
        ("rpad('a.', 201, 'b.')", "type", "200 bytes in all"),
        ("'a', 'a b'", "tenant", "it is 'a b'"),
        ("'a', ''", "tenant", "it is ''"),
        ("'a', repeat('a', 129)", "tenant", "must be 1 to 128"),
        ("'a', '{\"id\":1}'", "tenant", "it is '{\"id\":1}'"),
        ("'a', 'b', '[1]'", "payload", "must be a JSON object, not a JSON array"),
        ("'a', 'b', '7'::jsonb", "payload", "must be a JSON object, not a JSON number"),
        ("'a', 'b', '{'", "payload", "The input string ended unexpectedly"),
        ("'a', 'b', ''", "payload", "must be a JSON object"),
        ("'a', 'b', null", "payload", "not null"),
        ("'a', 'b', null::jsonb", "payload", "not null"),
        ("'a', 'b', format('{\"a\":\"%s\"}', repeat('x', 262144))", "payload", "262144 bytes together and have 262152"),
        ("'a', 'b', '{}', ''", "key", "has 0"),
        ("'a', 'b', '{}', repeat('ü', 129)", "key", "has 258"),
        ("'a', metadata => '[]'", "metadata", "not a JSON array"),
        ("'a', metadata => '{\"a\":1}'", "metadata", "must have a string under 'a', not a JSON number"),
        ("'a', metadata => '{\"hops\":\"1\"}'", "metadata", "must have a number under 'hops'"),
        ("'a', metadata => '{\"a\":\"\\u0000\"}'", "metadata", "cannot be converted to text"),
        ("'a', \"time\" => 'infinity'", "time", "must be finite"),
    ];
    for (arguments, argument, words) in refused {
        let error = desk.client.query_one(&format!("select busway.publish({arguments})"), &[]).await.unwrap_err();
        let error = error.as_db_error().unwrap();
        assert_eq!(error.code(), &SqlState::INVALID_PARAMETER_VALUE, "{arguments}");
        assert_eq!(error.column(), Some(argument), "{arguments}");
        let told = error.message();
        assert!(told.starts_with(&format!("publish: \"{argument}\" ")) && told.contains(words), "{arguments}: {told}");
    }
    assert!(desk.published().await.is_empty());
    desk.client.query_one("select busway.publish(repeat('a', 64) || '.b', repeat('a', 128))", &[]).await.unwrap();
    let largest = "select busway.publish('a', 'b', format('{\"a\":\"%s\"}', repeat('x', 262136)), repeat('ü', 128))";
    desk.client.query_one(largest, &[]).await.unwrap();
    assert_eq!(desk.published().await.len(), 2);
}

#[tokio::test]
async fn a_first_time_is_one_per_subscription_event_and_tenant_and_goes_with_its_transaction() {
    let Some(server) = Server::shared() else { return };
    let desk = Desk::open(server).await;
    let event = Uuid::now_v7();
    let first = async |arguments: &str| -> bool {
        let sql = format!("select busway.first_time({arguments})").replace("$event", &format!("'{event}'"));
        desk.client.query_one(&sql, &[]).await.unwrap().get(0)
    };
    desk.client.batch_execute("begin").await.unwrap();
    assert!(first("'crm', $event").await);
    assert!(!first("'crm', $event").await);
    desk.client.batch_execute("rollback").await.unwrap();
    assert!(first("'crm', $event").await);
    assert!(!first("subscription => 'crm', event_id => $event").await);
    assert!(first("'crm', $event, 'acme'").await);
    assert!(!first("'crm', $event, tenant => 'acme'").await);
    assert!(first("'mail', $event").await);

    assert_eq!(desk.store.forget_first_times(Timestamp::from_millis(0)).await.unwrap(), 0);
    assert_eq!(desk.store.forget_first_times(Timestamp::MAX).await.unwrap(), 3);
    assert!(first("'mail', $event").await);
}

#[tokio::test]
async fn of_two_transactions_that_ask_for_the_same_first_time_the_second_waits_and_learns() {
    let Some(server) = Server::shared() else { return };
    let desk = Desk::open(server).await;
    let event = Uuid::now_v7();
    let sql = "select busway.first_time('crm', $1)";
    for (ending, is_first) in [("rollback", true), ("commit", false)] {
        desk.client.batch_execute("begin; delete from busway.first_times; commit; begin").await.unwrap();
        assert!(desk.client.query_one(sql, &[&event]).await.unwrap().get::<_, bool>(0));
        let other = desk.database.client().await;
        let asked = tokio::spawn(async move { other.query_one(sql, &[&event]).await.unwrap().get::<_, bool>(0) });
        let waits = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like '%first_time%'
                     and datname = current_database()";
        let watcher = desk.database.client().await;
        while watcher.query_one(waits, &[]).await.unwrap().get::<_, i64>(0) == 0 {}
        desk.client.batch_execute(ending).await.unwrap();
        assert_eq!(asked.await.unwrap(), is_first);
    }
}

#[tokio::test]
async fn who_may_write_to_the_outbox_alone_may_publish() {
    let Some(server) = Server::shared() else { return };
    let desk = Desk::open(server).await;
    let role = format!("role_{}", desk.database.name);
    let grants = format!(
        "create role {role};
         grant usage on schema busway to {role};
         grant insert on busway.outbox, busway.first_times to {role};
         set role {role}"
    );
    desk.client.batch_execute(&grants).await.unwrap();
    desk.client.query_one("select busway.publish('a', 'b', '{}'::jsonb)", &[]).await.unwrap();
    let sql = "select busway.first_time('crm', gen_random_uuid())";
    assert!(desk.client.query_one(sql, &[]).await.unwrap().get::<_, bool>(0));
    assert!(desk.client.query("select * from busway.outbox", &[]).await.is_err());
    desk.client.batch_execute(&format!("reset role; drop owned by {role}; drop role {role}")).await.unwrap();
    assert_eq!(desk.published().await.len(), 1);
}

#[tokio::test]
async fn open_transactions_never_wait_for_each_other_nor_for_the_relay() {
    let Some(server) = Server::shared() else { return };
    let desk = Desk::open(server).await;
    let id = Uuid::now_v7();
    let mut open = Vec::new();
    for _ in 0..8 {
        let client = desk.database.client().await;
        client.batch_execute("begin").await.unwrap();
        // Of one tenant and key, under one id: a statement that waited would never come back.
        let sql = "select busway.publish('order.changed', 'acme', '{}', 'o1', id => $1)";
        client.query_one(sql, &[&id]).await.unwrap();
        open.push(client);
    }
    let sql = "select count(*) from pg_locks where locktype = 'advisory' and database =
                   (select oid from pg_database where datname = current_database())";
    assert_eq!(open[0].query_one(sql, &[]).await.unwrap().get::<_, i64>(0), 0);
    assert!(desk.published().await.is_empty());
    for client in open {
        client.batch_execute("commit").await.unwrap();
    }
    assert_eq!(desk.published().await.len(), 8);
}
