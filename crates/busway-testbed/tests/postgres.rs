//! A private PostgreSQL does what tests ask of it, and is gone with them.

#![allow(clippy::unwrap_used, reason = "a server that cannot be used ends its test")]

use std::{
    env, fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use busway_testbed::postgres::{Server, VARIABLE};
use tokio::task::block_in_place;
use tokio_postgres::{Client, NoTls, error::SqlState};

/// Waits for what is bound to come, a minute at most.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(60), "still not so: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn every_call_gives_a_fresh_database_of_one_server() {
    let Some(server) = Server::shared() else { return };
    let (first, second) = (server.database(), server.database());
    assert_ne!(first.name, second.name);
    first.client().await.batch_execute("create table t (n int); insert into t values (1)").await.unwrap();
    let there = second.client().await.query_one("select to_regclass('t') is not null", &[]).await.unwrap();
    assert!(!there.get::<_, bool>(0), "a table of one database is seen in another");
    assert!(std::ptr::eq(server, Server::shared().unwrap()));
}

#[tokio::test]
async fn a_database_can_be_made_from_a_template() {
    let Some(server) = Server::shared() else { return };
    let template = server.database();
    template.client().await.batch_execute("create table t as select 7 as n").await.unwrap();
    let clients = format!("select count(*) from pg_stat_activity where datname = '{}'", template.name);
    until("nobody is connected to the template", || ask(server, &clients) == "0").await;
    let copy = server.database_with(&format!("template {}", template.name));
    let row = copy.client().await.query_one("select n from t", &[]).await.unwrap();
    assert_eq!(row.get::<_, i32>(0), 7);
}

/// What psql prints.
fn ask(server: &Server, question: &str) -> String {
    let psql = Command::new(server.program("psql")).args(["-XAtc", question, &server.url("postgres")]).output();
    String::from_utf8(psql.expect("psql runs").stdout).expect("it prints text").trim().to_owned()
}

#[tokio::test]
async fn it_is_durable_by_default_and_takes_other_settings() {
    let Some(server) = Server::builder().setting("wal_level", "logical").setting("work_mem", "5MB").start() else {
        return;
    };
    let client = server.database().client().await;
    for (setting, expected) in
        [("fsync", "on"), ("synchronous_commit", "on"), ("wal_level", "logical"), ("work_mem", "5MB")]
    {
        let row = client.query_one(&format!("show {setting}"), &[]).await.unwrap();
        assert_eq!(row.get::<_, &str>(0), expected, "{setting}");
    }
}

#[tokio::test]
async fn what_was_committed_outlives_a_crash_and_what_was_not_does_not() {
    let Some(mut server) = Server::start() else { return };
    let database = server.database();
    let client = database.client().await;
    client.batch_execute("create table t (n int)").await.unwrap();
    client.batch_execute("insert into t values (1)").await.unwrap();
    client.batch_execute("begin; insert into t values (2)").await.unwrap();

    server.stop_immediate();
    assert!(client.batch_execute("commit").await.is_err(), "a connection outlived the server");
    assert!(tokio_postgres::connect(&database.url, NoTls).await.is_err(), "a stopped server lets somebody in");
    server.start_again();
    assert!(server.log().contains("automatic recovery in progress"), "this was no crash:\n{}", server.log());

    server.stop_fast();
    server.start_again();
    let rows = database.client().await.query("select n from t", &[]).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.get::<_, i32>(0)).collect::<Vec<_>>(), [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_follows_can_be_read_and_takes_over() {
    let Some(mut primary) = Server::start() else { return };
    let database = primary.database();
    let client = database.client().await;
    client.batch_execute("create table kept (n int)").await.unwrap();
    let standby = block_in_place(|| primary.standby());
    let sql = "alter system set synchronous_standby_names = '*'";
    client.batch_execute(sql).await.unwrap();
    client.batch_execute("select pg_reload_conf()").await.unwrap();
    let is_followed = "select count(*) from pg_stat_replication where sync_state = 'sync'";
    let begun = Instant::now();
    while client.query_one(is_followed, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        assert!(begun.elapsed() < Duration::from_secs(60), "nobody follows");
    }
    client.batch_execute("set synchronous_commit = remote_apply; insert into kept values (7)").await.unwrap();
    let reading = connected(&standby.url(&database.name)).await;
    assert_eq!(number(&reading, "select n from kept").await, 7);
    let refused = reading.batch_execute("insert into kept values (8)").await.unwrap_err();
    assert_eq!(refused.code().map(SqlState::code), Some("25006"));
    block_in_place(|| primary.stop_immediate());
    assert!(reading.query_one("select pg_promote()", &[]).await.unwrap().get::<_, bool>(0));
    reading.batch_execute("insert into kept values (8)").await.unwrap();
    assert_eq!(number(&reading, "select sum(n)::int from kept").await, 15);
}

async fn connected(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn number(client: &Client, question: &str) -> i32 {
    client.query_one(question, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_database_is_set_for_the_sessions_that_come() {
    let Some(server) = Server::shared() else { return };
    let database = server.database();
    database.set("search_path", "it's");
    let found = database.client().await.query_one("show search_path", &[]).await.unwrap();
    assert!(found.get::<_, &str>(0).contains("it's"));
    assert!(database.url.contains(&format!("@{}/", server.address())));
}

#[test]
fn nothing_is_left_of_a_server_that_is_dropped() {
    let Some(server) = Server::start() else { return };
    let data = server.data().unwrap();
    let postmaster = Postmaster::of(&data);
    drop(server);
    assert!(!postmaster.runs(), "the server runs on");
    assert!(!data.parent().unwrap().exists(), "its folder is left");
}

#[tokio::test]
async fn nothing_is_left_of_a_server_whose_starter_is_killed() {
    if Server::shared().is_none() {
        return;
    }
    let mut starter = Command::new(env!("CARGO_BIN_EXE_busway-testbed"))
        .arg("postgres")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let url = first_line(&mut starter);
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    tokio::spawn(connection);
    let data = PathBuf::from(client.query_one("show data_directory", &[]).await.unwrap().get::<_, &str>(0));
    let postmaster = Postmaster::of(&data);
    assert!(postmaster.runs());

    starter.kill().unwrap();
    starter.wait().unwrap();
    until("the folder is gone", || !data.parent().unwrap().exists()).await;
    until("the server is gone", || !postmaster.runs()).await;
    assert!(tokio_postgres::connect(&url, NoTls).await.is_err());
}

fn first_line(starter: &mut Child) -> String {
    let mut line = String::new();
    let output = starter.stdout.take().expect("its output is piped");
    BufReader::new(output).read_line(&mut line).expect("it prints a line");
    line.trim().to_owned()
}

/// The process of a server that all its others come from.
struct Postmaster(u32);

impl Postmaster {
    fn of(data: &Path) -> Self {
        let lines = fs::read_to_string(data.join("postmaster.pid")).expect("the server runs");
        Self(lines.lines().next().and_then(|line| line.parse().ok()).expect("the first line is a number"))
    }

    /// What has ended and was not waited for has no command line any more.
    fn runs(&self) -> bool {
        fs::read(format!("/proc/{}/cmdline", self.0)).is_ok_and(|line| !line.is_empty())
    }
}

#[tokio::test]
async fn a_server_that_is_given_is_used_and_left_as_it_was() {
    let Some(server) = Server::builder().setting("log_statement", "ddl").start() else { return };
    let test = "every_call_gives_a_fresh_database_of_one_server";
    let program = env::current_exe().unwrap();
    let tried = Command::new(program).args(["--exact", test]).env(VARIABLE, server.url("postgres")).output().unwrap();
    assert!(tried.status.success(), "{}", String::from_utf8_lossy(&tried.stdout));
    assert_eq!(server.log().matches("statement: create database busway_test_").count(), 2, "{}", server.log());
    let left = "select count(*) from pg_database where datname like 'busway_test_%'";
    until("its databases are gone", || ask(&server, left) == "0").await;
}
