use std::sync::Arc;

use busway_backends::postgres::Postgres;
use busway_core::{Appended, Event, LaneId, Log, Seq, Timestamp};
use busway_testbed::postgres::Server;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::stage::{append_one, assert_holds, event, ids, large, open, read_all, soon, until};

/// Bytes of a part that a few dozen events of a kilobyte fill.
const SMALL: &str = "lanes=2&pool=4&partBytes=100000";

/// How many parts have begun.
async fn begun(client: &Client) -> i64 {
    client.query_one("SELECT count(began) FROM busway.parts", &[]).await.unwrap().get(0)
}

async fn is_there(client: &Client, part: i64) -> bool {
    let table = format!("busway.domain_events_{part}");
    client.query_one("SELECT to_regclass($1) IS NOT NULL", &[&table]).await.unwrap().get(0)
}

/// Appends until this many parts have begun; gives what was appended before.
async fn fill(log: &Postgres, client: &Client, parts: i64, events: &mut Vec<Arc<Event>>) -> Vec<Appended> {
    let mut appended = Vec::new();
    while begun(client).await < parts {
        let batch = large(20);
        appended.extend(log.append(&batch).await.unwrap());
        events.extend(batch);
        assert!(events.len() < 100_000, "the parts do not begin");
    }
    appended
}

#[tokio::test]
async fn a_full_part_is_followed_by_the_next_and_nothing_is_lost() {
    let Some(server) = Server::shared() else { return };
    let database = server.database();
    let (log, client) = (open(&database.url, SMALL).await, database.client().await);
    let mut events = Vec::new();
    let told = fill(&log, &client, 4, &mut events).await;
    assert!(told.iter().all(|told| !told.duplicate));
    assert_holds(&log, &events).await;
    assert_holds(&*open(&database.url, "").await, &events).await;
    let all = log.find(None, Uuid::nil(), Uuid::max(), events.len() + 1).await.unwrap();
    assert_eq!(ids(&all), events.iter().map(|event| event.id).collect::<Vec<_>>());
    let seqs: Vec<Seq> = told.iter().filter(|told| told.lane == LaneId(1)).map(|told| told.seq).collect();
    assert_eq!(log.fetch(LaneId(1), &seqs).await.unwrap().len(), seqs.len());
}

#[tokio::test]
async fn an_id_is_recognised_in_every_part() {
    let Some(server) = Server::shared() else { return };
    let database = server.database();
    let (log, client) = (open(&database.url, SMALL).await, database.client().await);
    let foreign: Vec<Arc<Event>> = (0..3).map(|_| event(Uuid::new_v4())).collect();
    let mut events = foreign.clone();
    let mut told = log.append(&foreign).await.unwrap();
    told.extend(fill(&log, &client, 3, &mut events).await);
    let new = event(Uuid::now_v7());
    let mut batch: Vec<Arc<Event>> = events.iter().step_by(7).cloned().collect();
    batch.push(new.clone());
    batch.push(new);
    let again = log.append(&batch).await.unwrap();
    let firsts = told.iter().step_by(7).map(|first| Appended { duplicate: true, ..*first });
    let (repeats, rest) = again.split_at(batch.len() - 2);
    assert_eq!(repeats, firsts.collect::<Vec<_>>());
    assert_eq!((rest[0].duplicate, rest[1].duplicate, rest[0].seq), (false, true, rest[1].seq));
}

#[tokio::test]
async fn a_part_in_which_everything_is_pruned_is_dropped() {
    let Some(server) = Server::shared() else { return };
    let database = server.database();
    let (log, client) = (open(&database.url, SMALL).await, database.client().await);
    let mut events = Vec::new();
    let told = fill(&log, &client, 3, &mut events).await;
    // Everything of the first part, and a little of the second.
    let cut = told.iter().map(|told| told.seq).find(|seq| seq >> 40 > 0).unwrap() + 5;
    for lane in [LaneId(0), LaneId(1)] {
        log.prune(lane, cut, Timestamp::MAX).await.unwrap();
    }
    until("the first part is dropped", async || !is_there(&client, 1).await).await;
    assert!(is_there(&client, 2).await);
    let kept: Vec<Arc<Event>> =
        events.iter().zip(&told).filter(|(_, told)| told.seq > cut).map(|(event, _)| event.clone()).collect();
    assert_holds(&log, &kept).await;
    assert_holds(&*open(&database.url, "").await, &kept).await;
    append_one(&log).await;
    let repeat = log.append(&events[events.len() - 1..]).await.unwrap();
    assert!(repeat[0].duplicate);
}

#[tokio::test]
async fn a_lane_whose_parts_are_gone_keeps_its_head() {
    let Some(server) = Server::shared() else { return };
    let database = server.database();
    let (log, client) = (open(&database.url, SMALL).await, database.client().await);
    let idle = append_one(&log).await;
    let busy = LaneId(1 - idle.lane.0);
    while begun(&client).await < 2 {
        let mut batch = large(50);
        batch.retain(|event| busway_core::lane_of(&event.tenant, event.key.as_ref(), &event.event_type, 2) == busy);
        log.append(&batch).await.unwrap();
    }
    for lane in [LaneId(0), LaneId(1)] {
        log.prune(lane, Seq::MAX, Timestamp::MAX).await.unwrap();
    }
    until("the first part is dropped", async || !is_there(&client, 1).await).await;
    let again = open(&database.url, "").await;
    let heads = again.heads().await.unwrap();
    let at = usize::from(idle.lane.0);
    assert_eq!((heads.seqs[at], heads.pruned[at]), (idle.seq, idle.seq));
    assert!(read_all(&again, idle.lane).await.is_empty());
}

#[tokio::test]
async fn a_long_reader_holds_up_neither_publishers_nor_the_next_part() {
    let Some(server) = Server::shared() else { return };
    let database = server.database();
    let (log, client) = (open(&database.url, SMALL).await, database.client().await);
    let reader = database.client().await;
    append_one(&log).await;
    reader.batch_execute("BEGIN; SELECT count(*) FROM busway.domain_events").await.unwrap();
    let mut events = Vec::new();
    fill(&log, &client, 3, &mut events).await;
    for lane in [LaneId(0), LaneId(1)] {
        log.prune(lane, Seq::MAX, Timestamp::MAX).await.unwrap();
    }
    until("a part waits to be taken off", async || {
        let sql = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE 'ALTER TABLE%DETACH%CONCURRENTLY'
                   AND datname = current_database())";
        client.query_one(sql, &[]).await.unwrap().get(0)
    })
    .await;
    fill(&log, &client, 5, &mut events).await;
    assert!(is_there(&client, 1).await);
    reader.batch_execute("COMMIT").await.unwrap();
    until("the part is dropped", async || !is_there(&client, 1).await).await;
}

#[tokio::test]
async fn publishing_goes_on_when_a_part_has_no_seq_left() {
    let Some(server) = Server::shared() else { return };
    let database = server.database();
    let (log, client) = (open(&database.url, "pool=2").await, database.client().await);
    let first = append_one(&log).await;
    client.batch_execute("SELECT setval('busway.draws', (1 << 28) - 1)").await.unwrap();
    let second = append_one(&log).await;
    assert_eq!((first.seq >> 40, second.seq >> 40), (0, 1));
}

#[tokio::test]
async fn an_event_that_waited_while_a_part_began_goes_into_it_and_is_read_on_from_before() {
    let Some(server) = Server::shared() else { return };
    let database = server.database();
    let (log, mut client) = (open(&database.url, "lanes=1&pool=3").await, database.client().await);
    let (watcher, lane) = (database.client().await, LaneId(0));
    let (first, last) = (append_one(&log).await, append_one(&log).await);
    let beginning = client.transaction().await.unwrap();
    beginning.batch_execute("SELECT busway.begin_part(2)").await.unwrap();
    let waiting = tokio::spawn({
        let log = log.clone();
        async move { append_one(&log).await }
    });
    let waits = "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted
                     AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    until("it waits", async || watcher.query_one(waits, &[]).await.unwrap().get(0)).await;
    beginning.commit().await.unwrap();
    let new = soon("it is appended", waiting).await.unwrap();
    assert_eq!((first.seq >> 40, last.seq >> 40, new.seq >> 40), (0, 0, 1));
    for (after, behind) in [(last.seq, vec![new.seq]), (first.seq, vec![last.seq, new.seq]), (new.seq, Vec::new())] {
        let tail = log.tail(&[(lane, after)], 10).await.unwrap();
        assert_eq!(tail.pages[0].entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), behind);
        assert!(!tail.more);
    }
}

#[tokio::test]
async fn publishing_goes_on_when_the_part_ahead_is_missing() {
    let Some(server) = Server::shared() else { return };
    let database = server.database();
    let (log, client) = (open(&database.url, "pool=2").await, database.client().await);
    append_one(&log).await;
    let sql = "DROP TABLE busway.domain_events_2; DELETE FROM busway.parts WHERE number = 2;
               SELECT setval('busway.draws', (1 << 28) - 1)";
    client.batch_execute(sql).await.unwrap();
    assert_eq!(append_one(&log).await.seq >> 40, 1);
}

#[tokio::test]
async fn a_batch_of_more_rows_than_a_draw_gives_keeps_its_order() {
    let Some(server) = Server::shared() else { return };
    let database = server.database();
    let log = open(&database.url, "lanes=2&pool=2").await;
    let events: Vec<Arc<Event>> = (0..9_000).map(|_| event(Uuid::now_v7())).collect();
    let told = log.append(&events).await.unwrap();
    assert!(told.is_sorted_by(|a, b| a.seq < b.seq));
    assert_holds(&log, &events).await;
    let again = log.append(&events).await.unwrap();
    assert!(again.iter().zip(&told).all(|(again, first)| again.duplicate && again.seq == first.seq));
}
