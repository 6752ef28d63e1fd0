use busway_core::{Body, Direction, Filter, LaneId, Log, Patterns, ReadRequest};
use busway_testbed::postgres::Server;
use uuid::Uuid;

use crate::stage::{event_of, open, read_all};

const INSERT: &str = "INSERT INTO busway.newest (seq, stored_at, time, id, lane, tenant, type, payload)
                      VALUES (nextval('busway.draws') << 12, now(), now(), gen_random_uuid(), 0, $1, $2, $3)";

#[tokio::test]
async fn what_somebody_wrote_that_is_no_event_is_given_as_undecodable() {
    let Some(server) = Server::shared() else { return };
    let database = server.database();
    let (log, client) = (open(&database.url, "lanes=1&pool=2").await, database.client().await);
    for (tenant, event_type, payload) in
        [("acme", "shift.created", "no object"), ("a b", "shift.created", "{}"), ("acme", "no type!", "{}")]
    {
        client.execute(INSERT, &[&tenant, &event_type, &payload]).await.unwrap();
    }
    let entries = read_all(&log, LaneId(0)).await;
    let faults = entries.iter().map(|entry| match &entry.body {
        Body::Undecodable(undecodable) => undecodable.error.clone(),
        Body::Event(event) => panic!("{event:?} is an event"),
    });
    let faults: Vec<String> = faults.collect();
    for (fault, names) in faults.iter().zip(["`payload`", "`tenant`", "`type`"]) {
        assert!(fault.contains(names), "{fault}");
    }
    assert_eq!(faults.len(), 3);
}

#[tokio::test]
async fn people_can_look_at_the_log_in_sql() {
    let Some(server) = Server::shared() else { return };
    let database = server.database();
    let (log, client) = (open(&database.url, "lanes=1&pool=2").await, database.client().await);
    let texts = [r#"{ "n" : 1.10 }"#, r#"{"nul":"a\u0000b"}"#];
    let events = texts.map(|text| event_of(Uuid::now_v7(), text));
    log.append(&events).await.unwrap();
    let rows = client.query("SELECT payload::text, metadata::text, time::text FROM busway.events", &[]).await.unwrap();
    assert_eq!([rows[0].get::<_, &str>(0), rows[1].get(0)], texts);
    assert_eq!(rows[0].get::<_, &str>(1), "{}");
    assert!(rows[0].get::<_, &str>(2).starts_with("2026-01-01 00:00:00.123"));
    let field = "SELECT payload ->> 'n' FROM busway.events WHERE id = $1";
    assert_eq!(client.query_one(field, &[&events[0].id]).await.unwrap().get::<_, &str>(0), "1.10");
    let raw = client.query("SELECT payload FROM busway.domain_events ORDER BY seq", &[]).await.unwrap();
    assert_eq!([raw[0].get::<_, &str>(0), raw[1].get(0)], texts);
}

#[tokio::test]
async fn a_rare_type_is_found_behind_many_others_step_by_step() {
    let Some(server) = Server::shared() else { return };
    let database = server.database();
    let (log, client) = (open(&database.url, "lanes=1&pool=2").await, database.client().await);
    let sql = "INSERT INTO busway.newest (seq, stored_at, time, id, lane, tenant, type, payload)
               SELECT (nextval('busway.draws') << 12), now(), now(), gen_random_uuid(), 0, 'acme',
                      CASE WHEN n = 25000 THEN 'rare.one' ELSE 'shift.created' END, '{}'
               FROM generate_series(1, 30000) AS n";
    client.batch_execute(sql).await.unwrap();
    for patterns in ["rare.one", "rare.*", "*.one"] {
        let filter = Filter { types: Some(Patterns::parse([patterns]).unwrap().into()), ..Filter::default() };
        let (mut after, mut found, mut pages) = (0, 0, 0);
        let head = log.heads().await.unwrap().seqs[0];
        while after < head {
            let request = ReadRequest { filter: filter.clone(), ..ReadRequest::after(LaneId(0), after, 100) };
            let page = log.read(request).await.unwrap();
            assert!(page.looked > after);
            after = page.looked;
            found += page.entries.len();
            pages += 1;
        }
        assert_eq!((found, after), (1, head), "{patterns}");
        assert!(pages > 1, "{patterns}: the whole lane was looked at in one go");
    }
}

#[tokio::test]
async fn a_read_that_looks_further_and_further_gives_each_entry_once_and_in_order() {
    let Some(server) = Server::shared() else { return };
    let database = server.database();
    let (log, client) = (open(&database.url, "lanes=1&pool=2").await, database.client().await);
    let sql = "INSERT INTO busway.newest (seq, stored_at, time, id, lane, tenant, type, payload)
               SELECT n, now(), now(), gen_random_uuid(), 0, 'acme',
                      CASE WHEN n = ANY ($1) THEN 'rare.one' ELSE 'shift.created' END, '{}'
               FROM generate_series(1, 12000) AS n";
    let rare: Vec<i32> = vec![1, 255, 256, 257, 1_279, 1_280, 1_281, 5_376, 5_377, 9_999, 10_000];
    client.execute(sql, &[&rare]).await.unwrap();
    let filter = Filter { types: Some(Patterns::parse(["rare.one"]).unwrap().into()), ..Filter::default() };
    for (max, direction, start) in
        [(50, Direction::Forward, 0), (3, Direction::Forward, 0), (50, Direction::Backward, 10_001)]
    {
        let (mut after, mut found) = (start, Vec::new());
        let is_over = |after| if direction == Direction::Forward { after >= 12_000 } else { after == 0 };
        while !is_over(after) {
            let request =
                ReadRequest { filter: filter.clone(), direction, ..ReadRequest::after(LaneId(0), after, max) };
            let page = log.read(request).await.unwrap();
            assert_ne!(page.looked, after, "a read went nowhere");
            after = page.looked;
            assert!(page.entries.len() <= max);
            found.extend(page.entries.iter().map(|entry| entry.seq as i32));
        }
        if direction == Direction::Backward {
            found.reverse();
        }
        assert_eq!(found, rare, "{max} at a time, {direction:?}");
    }
}
