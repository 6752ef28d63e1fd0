use busway_testbed::postgres::Server;
use serde_json::Value;

use crate::support::{Done, Home, ended};

/// What was found, as (check, level).
fn checks(out: &str) -> Vec<(String, String)> {
    let findings = out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
    findings.map(|finding| (text(&finding, "check"), text(&finding, "level"))).collect()
}

fn has(done: &Done, check: &str, level: &str) -> bool {
    checks(&done.out).contains(&(check.to_owned(), level.to_owned()))
}

#[test]
fn a_store_in_good_health_is_told_of_line_by_line() {
    let home = Home::new();
    let server = home.serve();
    home.ok(&["subscriptions", "put", "crm", "ticket.*"]);
    let told = home.ok(&["doctor"]);
    assert!(told.lines().all(|line| line.starts_with("ok    ")), "{told}");
    assert!(told.contains("ok    every page and index of the file is sound\n"), "{told}");
    assert!(told.ends_with("ok    the one subscription keeps up\n"), "{told}");
    server.stop();
    assert!(home.ok(&["doctor"]).lines().all(|line| line.starts_with("ok    ")));
}

#[test]
fn a_warning_is_no_problem_found() {
    let home = Home::new();
    home.write("busway.toml", "[backend]\ntype = \"in-memory\"\n");
    let _server = home.serve();
    let done = home.run(&["doctor"]);
    assert_eq!((done.code, done.err.as_str()), (0, ""));
    let wanted = "warn  events are kept in memory and end with the process; choose a backend that keeps them: ";
    assert!(done.out.starts_with(wanted), "{}", done.out);
}

#[test]
fn a_subscription_that_nobody_reads_pins_the_log() {
    let home = Home::new();
    home.write("busway.toml", "[backend]\nretention = \"1ms\"\n");
    let _server = home.serve();
    home.ok(&["subscriptions", "put", "crm", "ticket.*"]);
    home.ok(&["publish", "ticket.created", "{}"]);
    let done = home.run(&["doctor", "--json"]);
    assert!(done.code == 0 && has(&done, "pins_log", "warn"), "{done:?}");
    let finding = done.out.lines().find(|line| line.contains("pins_log")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(finding).unwrap()["subject"], "crm");
    let pulled = home.run(&["subscriptions", "pull", "crm", "--ack"]);
    assert_eq!(pulled.code, 0, "{pulled:?}");
    assert!(!has(&home.run(&["doctor", "--json"]), "pins_log", "warn"));
}

#[test]
fn a_server_of_postgresql_that_may_lose_events_is_a_problem_found() {
    let Some(server) = Server::builder().setting("fsync", "off").setting("synchronous_commit", "off").start() else {
        return;
    };
    let (home, url) = (Home::new(), server.database().url);
    let done = ended(home.command(&["doctor", "--json"]).env("DATABASE_URL", &url));
    assert_eq!((done.code, done.err.as_str()), (5, "error[doctor]: 1 check fails\n"), "{}", done.out);
    assert!(has(&done, "fsync", "fail") && has(&done, "synchronous_commit", "warn"), "{}", done.out);
    let told = ended(home.command(&["doctor"]).env("DATABASE_URL", &url)).out;
    assert!(told.contains("warn  synchronous_commit is off: a crash loses events; ALTER ROLE "), "{told}");
}

#[test]
fn a_postgresql_as_it_comes_is_in_good_health() {
    let Some(server) = Server::start() else { return };
    let (home, url) = (Home::new(), server.database().url);
    let done = ended(home.command(&["doctor", "--json"]).env("DATABASE_URL", &url));
    assert_eq!(done.code, 0, "{done:?}");
    assert!(checks(&done.out).iter().all(|(_, level)| level == "ok"), "{}", done.out);
}
