use busway_core::ErrorKind;
use busway_testbed::{postgres::Server, proxy::Proxy};
use tokio::task::block_in_place;

use crate::stage::{append_one, open, try_open};

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_is_refused_with_the_way_to_its_primary() {
    let Some(server) = Server::start() else { return };
    let database = server.database();
    open(&database.url, "pool=2").await.close().await;
    let standby = block_in_place(|| server.standby());
    // With Busway's schema and without.
    for url in [standby.url(&database.name), standby.url("postgres")] {
        let error = try_open(&url, "").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{error}");
        let said = error.detail();
        assert!(said.contains("is a standby") && said.contains("the host of the URL"), "{said}");
        let error = try_open(&url, "target_session_attrs=read-write").await.unwrap_err();
        assert_eq!((error.kind(), error.is_temporary()), (ErrorKind::Unreachable, true), "{error}");
        assert!(error.detail().contains("takes writes"), "{error}");
    }
    // Beside its primary it is passed over, wherever it stands.
    let (one, two) = (standby.address(), server.address());
    for hosts in [format!("{one},{two}"), format!("{two},{one}")] {
        let log = open(&database.url.replacen(two, &hosts, 1), "pool=2").await;
        append_one(&log).await;
        log.close().await;
    }
}

#[tokio::test]
async fn a_host_that_says_nothing_is_passed_over() {
    let Some(server) = Server::start() else { return };
    let database = server.database();
    let silent = Proxy::start(&database.url);
    silent.freeze();
    let hosts = format!("{},{}", silent.address(), server.address());
    let url = database.url.replacen(server.address(), &hosts, 1);
    let log = open(&url, "pool=2&connect_timeout=1").await;
    append_one(&log).await;
}
