use std::time::Duration;

use busway_testbed::postgres::Server;
use tokio::task::block_in_place;
use tokio_postgres::Client;

use crate::traffic::{Process, SOME, Traffic};

const PROCESSES: usize = 2;

/// A primary and a standby without which it commits nothing.
async fn pair() -> Option<(Server, Server)> {
    let primary = Server::start()?;
    let standby = block_in_place(|| primary.standby());
    let client = connected(&primary.url("postgres")).await;
    client.batch_execute("ALTER SYSTEM SET synchronous_standby_names = '*'").await.unwrap();
    client.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    let following = async {
        let sql = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        while client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), following).await.expect("nobody follows");
    Some((primary, standby))
}

async fn connected(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn who_names_both_hosts_goes_on_when_the_standby_takes_over_and_loses_nothing() {
    let Some((mut primary, standby)) = pair().await else { return };
    let database = primary.database();
    let hosts = format!("{},{}", primary.address(), standby.address());
    let process = || Process {
        url: database.url.replacen(primary.address(), &hosts, 1),
        publishers: 10,
        events: 500,
        lease: Duration::from_secs(5),
    };
    let traffic = Traffic::begin(&[process(), process()], SOME).await;
    traffic.delivered(traffic.published() / 3).await;
    (0..PROCESSES).for_each(|process| traffic.may_lose_its_lanes(process));
    block_in_place(|| primary.stop_immediate());
    assert!(traffic.acknowledged() < traffic.published(), "everything is published before the primary is gone");
    // Nobody takes writes: the standby is read by nobody, and publishers are told to come again.
    traffic.another_complaint().await;
    let promoted = connected(&standby.url("postgres")).await.query_one("SELECT pg_promote()", &[]).await.unwrap();
    assert!(promoted.get::<_, bool>(0));
    traffic.finish("a standby takes over", &standby.url(&database.name)).await;
}
