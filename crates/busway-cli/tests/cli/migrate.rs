use std::process::Command;

use busway_testbed::postgres::Server;

use crate::support::{Home, ended, fed};

#[test]
fn the_sql_that_is_shown_does_by_psql_what_the_command_does() {
    let Some(server) = Server::start() else { return };
    let (home, database) = (Home::new(), server.database());
    let migrate = |arguments: &[&str]| ended(home.command(arguments).env("DATABASE_URL", &database.url));
    let shown = migrate(&["migrate", "--dry-run"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    assert!(shown.out.starts_with("-- 001_log: to version 1\nCREATE SCHEMA \"busway\";\n"), "{}", shown.out);
    assert!(shown.err.ends_with(" are pending; nothing was changed\n"), "{}", shown.err);
    assert_eq!(migrate(&["migrate", "--dry-run"]).out, shown.out);
    let mut psql = Command::new(server.program("psql"));
    psql.args(["-q", "-1", "-v", "ON_ERROR_STOP=1", &database.url]);
    let run = fed(&mut psql, &shown.out);
    assert_eq!(run.code, 0, "{run:?}");
    let again = migrate(&["migrate"]);
    assert_eq!(again.code, 0, "{again:?}");
    assert!(again.err.ends_with(" is of this version; nothing was changed\n"), "{}", again.err);
    let published = migrate(&["publish", "ticket.created", "{}"]);
    assert_eq!(published.code, 0, "{published:?}");
}

#[test]
fn an_empty_database_is_brought_to_this_version_step_by_step() {
    let Some(server) = Server::start() else { return };
    let (home, database) = (Home::new(), server.database());
    let migrate = |arguments: &[&str]| ended(home.command(arguments).env("DATABASE_URL", &database.url));
    let pending = migrate(&["migrate", "--dry-run", "--json"]).out.lines().count();
    let done = migrate(&["migrate"]);
    assert_eq!((done.code, done.out.as_str(), done.err.lines().count()), (0, "", pending), "{done:?}");
    assert!(done.err.contains(": migration 001_log done\n"), "{}", done.err);
    let left = migrate(&["migrate", "--dry-run"]);
    assert_eq!((left.out.as_str(), left.err.as_str()), ("", "0 migrations are pending; nothing was changed\n"));
}

#[test]
fn a_dry_run_makes_no_file() {
    let home = Home::new();
    let shown = home.run(&["migrate", "--dry-run"]);
    assert!(shown.code == 0 && shown.out.contains("CREATE TABLE busway_meta"), "{shown:?}");
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
    assert!(home.run(&["migrate"]).err.contains("migration 001_log_and_checkpoints done"));
    assert_eq!(home.run(&["migrate", "--dry-run"]).out, "");
}
