use crate::support::{Home, ended, free_address};

#[test]
fn the_folders_file_is_read_and_variables_and_flags_count_more() {
    let home = Home::new();
    let (in_file, in_variable, in_flag) = (free_address(), free_address(), free_address());
    home.write("busway.toml", &format!("[server]\nlisten = \"{in_file}\"\n[backend]\nurl = \"sqlite:own.db\"\n"));
    let told = |address: &str| {
        format!("error[unreachable]: no server at http://{address} (configured); busway serve, or --server\n")
    };
    assert_eq!(home.run(&["tail"]).err, told(&in_file));
    assert_eq!(ended(home.command(&["tail"]).env("BUSWAY_SERVER_LISTEN", &in_variable)).err, told(&in_variable));
    let server = home.serve_on(&in_flag);
    assert_eq!(server.address, in_flag);
    assert!(server.banner.contains("  store   sqlite own.db (new, durable)\n"), "{}", server.banner);
    assert!(home.path().join("own.db").exists());
}

#[test]
fn an_unknown_key_ends_the_server_with_file_key_and_the_nearest_one() {
    let home = Home::new();
    home.write("busway.toml", "[server]\nlistne = \":1\"\n");
    let done = home.run(&["serve"]);
    let told =
        "error[invalid_configuration]: `server.listne` in busway.toml is no key; did you mean `server.listen`?\n";
    assert_eq!((done.code, done.err.as_str()), (2, told));
    home.write("other.toml", "[log]\nlevel = \"lots=of=it\"\n");
    let done = home.run(&["serve", "--config", "other.toml"]);
    assert_eq!(done.code, 2);
    assert!(done.err.starts_with("error[invalid_configuration]: `log.level` is `lots=of=it`"), "{}", done.err);
    assert!(!home.path().join("busway-data").exists());
}

#[test]
fn a_backend_that_this_version_lacks_is_refused_by_name() {
    let home = Home::new();
    let done = ended(home.command(&["serve"]).env("EVENT_BUS_TYPE", "redis"));
    assert_eq!(done.code, 1);
    assert_eq!(
        done.err,
        "error[unsupported]: backend `redis` (EVENT_BUS_TYPE) is not in this version, which has `in-memory`, `sqlite`, `postgres`\n"
    );
}

#[test]
fn the_defaults_that_are_printed_are_a_file_that_changes_nothing() {
    let home = Home::new();
    let defaults = home.ok(&["serve", "--print-defaults"]);
    assert!(defaults.contains("# BUSWAY_SERVER_LISTEN, --listen\nlisten = \"127.0.0.1:2870\"\n"), "{defaults}");
    home.write("busway.toml", &defaults);
    home.serve();
}
