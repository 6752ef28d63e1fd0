use crate::support::{Home, ended, free_address};

#[test]
fn without_a_server_commands_open_the_store_themselves() {
    let home = Home::new();
    home.serve().stop();
    home.ok(&["subscriptions", "put", "crm", "ticket.*"]);
    assert!(home.ok(&["publish", "ticket.created", "{}", "--tenant", "acme"]).ends_with(" for crm\n"));
    assert_eq!(home.json(&["events"])[0]["tenantId"].as_str(), Some("acme"));
    let pulled = home.run(&["subscriptions", "pull", "crm", "--ack"]);
    assert!(pulled.err.ends_with("acknowledged 1 delivery\n"), "{pulled:?}");
    let server = home.serve();
    assert!(server.banner.contains("busway.db (1 event, durable)\n"), "{}", server.banner);
    assert!(home.json(&["subscriptions", "pull", "crm"]).is_empty());
}

#[test]
fn a_command_never_makes_a_store() {
    let home = Home::new();
    let address = free_address();
    let done = ended(home.command(&["publish", "a"]).env("BUSWAY_SERVER_LISTEN", &address));
    assert_eq!(done.code, 3);
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn an_interrupted_command_closes_the_store_that_it_opened() {
    let home = Home::new();
    home.serve().stop();
    let mut tail = home.start(&["tail"]);
    tail.says("listening at");
    tail.signal("INT");
    assert_eq!(tail.wait(), 130);
    let left: Vec<_> =
        std::fs::read_dir(home.path().join("busway-data")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["busway.db"]);
}
