use std::time::Duration;

use busway_testbed::{
    postgres::{Database, Server},
    proxy::Proxy,
};

use crate::traffic::{Process, SOME, Traffic};

/// Of the process behind the proxy: soon others take its lanes.
const SHORT: Duration = Duration::from_millis(1_500);
/// Of the other one: however busy the machine is, it keeps its lanes.
const LONG: Duration = Duration::from_secs(60);
const FAULTY: usize = 0;
const SOUND: usize = 1;

/// Two processes, the first of which reaches the database through a proxy and gives up an answer after half a second.
struct Broken {
    database: Database,
    proxy: Proxy,
    traffic: Traffic,
}

impl Broken {
    async fn begin(events: u64) -> Option<Self> {
        Self::begin_with(events, events, SOME).await
    }

    async fn begin_with(events: u64, of_the_sound: u64, ahead: usize) -> Option<Self> {
        let database = Server::shared()?.database();
        let proxy = Proxy::start(&database.url);
        let mark = if database.url.contains('?') { '&' } else { '?' };
        let through = format!(
            "{}{mark}pool=4&deadlineMs=500&connect_timeout=1&application_name=faulty",
            proxy.url(&database.url)
        );
        let faulty = Process { url: through, publishers: 5, events, lease: SHORT };
        let sound = Process { url: database.url.clone(), publishers: 5, events: of_the_sound, lease: LONG };
        let traffic = Traffic::begin(&[faulty, sound], ahead).await;
        traffic.may_lose_its_lanes(FAULTY);
        Some(Self { database, proxy, traffic })
    }

    async fn finish(self, what: &str) {
        self.traffic.finish(what, &self.database.url).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_cut_again_and_again_lose_nothing() {
    let Some(broken) = Broken::begin(500).await else { return };
    for cut in 1..=10 {
        broken.traffic.delivered(broken.traffic.published() * cut / 12).await;
        broken.proxy.cut();
    }
    broken.finish("connections cut ten times").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_fall_silent_stop_nobody_else_and_lose_nothing() {
    let Some(broken) = Broken::begin(500).await else { return };
    broken.traffic.delivered(500).await;
    broken.proxy.freeze();
    let (more, complaint) = (broken.traffic.more_acknowledged_by(SOUND, 300), broken.traffic.another_complaint());
    tokio::join!(more, complaint);
    broken.proxy.thaw();
    broken.finish("connections frozen until publishers complained").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_connections_lose_nothing() {
    let Some(broken) = Broken::begin(200).await else { return };
    broken.proxy.slow(Duration::from_millis(20));
    broken.finish("connections slowed by 20 ms each way").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_connections_stop_nobody_else_and_lose_nothing() {
    let Some(broken) = Broken::begin(500).await else { return };
    broken.traffic.delivered(500).await;
    broken.proxy.refuse();
    broken.proxy.cut();
    let (more, complaint) = (broken.traffic.more_acknowledged_by(SOUND, 300), broken.traffic.another_complaint());
    tokio::join!(more, complaint);
    broken.proxy.accept();
    broken.finish("connections refused until publishers complained").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn appends_whose_answers_are_lost_are_stored_once() {
    let Some(broken) = Broken::begin_with(1_000, 0, usize::MAX).await else { return };
    let client = broken.database.client().await;
    let stored = async || {
        let row = client.query_one("SELECT count(*) FROM busway.domain_events", &[]).await.unwrap();
        row.get::<_, i64>(0) as usize
    };
    let connections = async || {
        let sql = "SELECT pid FROM pg_stat_activity WHERE application_name = 'faulty' AND query NOT LIKE 'LISTEN%'";
        client.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect::<Vec<i32>>()
    };
    let mut lost = 0;
    while lost < 5 {
        broken.traffic.more_acknowledged_by(FAULTY, 200).await;
        broken.proxy.freeze_answers();
        let open = connections().await;
        // Nobody is told any more, so what is stored beyond what was told has lost its answer. If all connections happen to
        // be used for something else and are given up, there is none left for an append.
        let losing = async {
            loop {
                if stored().await > broken.traffic.acknowledged() {
                    return true;
                }
                let left = connections().await;
                if !open.iter().any(|pid| left.contains(pid)) {
                    return false;
                }
            }
        };
        lost += usize::from(tokio::time::timeout(LONG, losing).await.unwrap());
        broken.proxy.cut();
        broken.proxy.thaw();
    }
    broken.finish("answers lost five times").await;
}
