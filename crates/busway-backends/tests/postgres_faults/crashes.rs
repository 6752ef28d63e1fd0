use std::time::Duration;

use busway_testbed::postgres::Server;
use tokio::task::block_in_place;

use crate::traffic::{Process, SOME, Traffic};

const PROCESSES: usize = 2;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_crashes_twice_under_load_loses_nothing() {
    let Some(mut server) = Server::start() else { return };
    let database = server.database();
    let process =
        || Process { url: database.url.clone(), publishers: 10, events: 1_000, lease: Duration::from_secs(5) };
    let traffic = Traffic::begin(&[process(), process()], SOME).await;
    for crash in 1..=2 {
        traffic.delivered(traffic.published() * crash / 3).await;
        (0..PROCESSES).for_each(|process| traffic.may_lose_its_lanes(process));
        block_in_place(|| server.stop_immediate());
        let acknowledged = traffic.acknowledged();
        assert!(acknowledged < traffic.published(), "everything is published before crash {crash}");
        if crash == 2 {
            // This time it is gone for longer than the engine repeats an append by itself.
            traffic.another_complaint().await;
        }
        block_in_place(|| server.start_again());
    }
    traffic.finish("a server crashes twice", &database.url).await;
}
