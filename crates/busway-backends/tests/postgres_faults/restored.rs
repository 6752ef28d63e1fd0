use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use busway_core::{Error, ErrorKind, Patterns};
use busway_engine::EventQuery;
use busway_testbed::postgres::Server;
use tokio::task::block_in_place;

use crate::{
    figures::stored,
    numbered::number,
    site::{Site, key, number_of},
};

/// Longer than a puller's lease and two leases of a member.
const LONG: Duration = Duration::from_secs(20);
/// Events that are settled before the dump begins, and those that are published while it is made.
const BEFORE: u64 = 500;
const BESIDE: u64 = 1_500;

fn kind<T>(result: Result<T, Error>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

/// Everything that a puller gets until nothing comes any more, acknowledged.
async fn pull_all(site: &Site) -> Vec<u64> {
    let mut numbers = Vec::new();
    loop {
        let leased = site.pull(1_000, LONG).await;
        if leased.is_empty() {
            return numbers;
        }
        numbers.extend(leased.iter().map(number_of));
        let count = leased.len();
        assert_eq!(site.acknowledge(leased.into_iter().map(|leased| leased.delivery_id)).await, count);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_go_on_where_they_were_in_a_restored_cluster() {
    let Some(server) = Server::shared() else { return };
    let Some(other) = Server::start() else { return };
    let (database, target) = (server.database(), other.database());
    let old = Arc::new(Site::open(&database.url).await);
    let position = old.engine.tail(all(), None, None).await.unwrap().position().clone();
    old.publish(0..BEFORE).await;
    old.engine.idle().await.unwrap();
    let mut leased = old.pull(200, LONG).await;
    let kept = leased.split_off(leased.len() / 2);
    let pulled: BTreeSet<u64> = leased.iter().map(number_of).collect();
    let acknowledged = old.acknowledge(leased.into_iter().map(|leased| leased.delivery_id)).await;
    assert_eq!(acknowledged, pulled.len());
    let cursor = page(&old, None).await.unwrap();

    let publishing = tokio::spawn({
        let old = old.clone();
        async move { old.publish(BEFORE..BEFORE + BESIDE).await }
    });
    old.until_handled(BEFORE as usize + 100).await;
    let dump = block_in_place(|| database.dump());
    publishing.await.unwrap();
    old.engine.idle().await.unwrap();
    old.engine.shutdown().await.unwrap();
    block_in_place(|| target.restore(&dump));

    let new = Site::open(&target.url).await;
    assert_eq!(kind(new.engine.tail(all(), None, Some(position)).await), Some(ErrorKind::PositionLost));
    assert_eq!(kind(page(&new, cursor).await), Some(ErrorKind::PositionLost));
    new.publish(1_000_000..1_000_050).await;
    new.engine.idle().await.unwrap();
    let again = pull_all(&new).await;
    let entries = stored(new.engine.stores()).await;
    let kept_events: BTreeSet<u64> =
        entries.iter().filter_map(|entry| entry.event()).map(|event| number(event)).collect();
    let (before, after) = (old.handled(), new.handled());
    let union: BTreeSet<u64> = before.iter().chain(&after).copied().collect();
    let lost = kept_events.difference(&union).count();
    let repeated = after.iter().filter(|n| before.contains(n)).count();
    println!(
        "restored {} of {} events: published {}, acknowledged {}, delivered {} before and {} after, lost {lost}, \
         duplicated {repeated}, out of order {}",
        kept_events.len() - 50,
        BEFORE + BESIDE,
        BEFORE + BESIDE + 50,
        BEFORE + BESIDE + 50,
        before.len(),
        after.len(),
        out_of_order(&after)
    );
    assert_eq!((lost, out_of_order(&after)), (0, 0));
    assert!(after.iter().all(|n| *n >= BEFORE), "delivered again though settled before the dump");
    assert_eq!(after.iter().collect::<BTreeSet<_>>().len(), after.len(), "delivered twice in the new cluster");
    let again: BTreeSet<u64> = again.into_iter().collect();
    assert!(kept.iter().all(|leased| again.contains(&number_of(leased))), "what was leased at the dump comes again");
    assert_eq!(again.union(&pulled).count(), kept_events.len(), "pulled in all");
    assert_eq!(again.intersection(&pulled).count(), 0, "pulled again though settled before the dump");
    new.engine.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_of_the_old_cluster_settles_nothing_in_the_restored_one() {
    let Some(server) = Server::shared() else { return };
    let Some(other) = Server::start() else { return };
    let (database, target) = (server.database(), other.database());
    let old = Site::open(&database.url).await;
    old.publish([0]).await;
    old.engine.idle().await.unwrap();
    assert_eq!(pull_all_at_once(&old).await, [0]);
    let dump = block_in_place(|| database.dump());
    // Both logs go on from the same place, each with an event of its own.
    old.publish([20]).await;
    let stale = old.pull(1, LONG).await.remove(0);
    block_in_place(|| target.restore(&dump));
    let new = Site::open(&target.url).await;
    new.publish([40]).await;
    let leased = new.pull(1, LONG).await.remove(0);
    assert_eq!((number_of(&stale), number_of(&leased)), (20, 40));
    assert_eq!((key(20), stale.entry.seq), (key(40), leased.entry.seq), "both stand at the same place");
    assert_eq!(new.acknowledge([stale.delivery_id]).await, 0, "a delivery of the old cluster");
    assert_eq!(new.acknowledge([leased.delivery_id]).await, 1, "a delivery of the new cluster");
    old.engine.shutdown().await.unwrap();
    new.engine.shutdown().await.unwrap();
}

/// What there is to pull now, acknowledged.
async fn pull_all_at_once(site: &Site) -> Vec<u64> {
    let leased = site.pull(1_000, LONG).await;
    let numbers = leased.iter().map(number_of).collect();
    site.acknowledge(leased.into_iter().map(|leased| leased.delivery_id)).await;
    numbers
}

fn all() -> Patterns {
    Patterns::parse(["*"]).unwrap()
}

/// The first page of events after a cursor, and where the next begins.
async fn page(site: &Site, cursor: Option<String>) -> Result<Option<String>, Error> {
    let query = EventQuery { limit: 10, cursor, ..EventQuery::default() };
    site.engine.events(query).await.map(|page| page.next)
}

/// Events that came after a later one of their key.
fn out_of_order(handled: &[u64]) -> usize {
    let mut last: BTreeMap<String, u64> = BTreeMap::new();
    handled.iter().filter(|n| last.insert(key(**n), **n).is_some_and(|before| before > **n)).count()
}
