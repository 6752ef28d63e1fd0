use crate::support::{Home, fed};

#[test]
fn a_list_shows_how_each_stands_for_people_and_for_machines() {
    let home = Home::new();
    let _server = home.serve();
    assert_eq!(home.run(&["subscriptions"]).err, "no subscriptions; busway subscriptions put NAME PATTERN\n");
    home.ok(&["subscriptions", "put", "crm", "ticket.*", "!ticket.viewed"]);
    home.ok(&[
        "subscriptions",
        "put",
        "crm",
        "ticket.*",
        "--tenant",
        "acme",
        "--start",
        "earliest",
        "--on-dead",
        "block",
    ]);
    home.ok(&["publish", "ticket.created", "--tenant", "acme"]);
    let list = home.ok(&["subscriptions"]);
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(lines[0], "NAME      PATTERNS                 STATE    LAG  OLDEST  IN FLIGHT  HELD  DEAD");
    assert!(lines[1].starts_with("crm       ticket.* !ticket.viewed  running    1"), "{list}");
    assert!(lines[2].starts_with("acme/crm  ticket.*                 running    1"), "{list}");
    let all = home.json(&["subscriptions"]);
    assert_eq!(
        (all[0]["tenant"].as_str(), all[1]["tenant"].as_str(), all[1]["onDead"].as_str()),
        (None, Some("acme"), Some("block"))
    );
    assert_eq!(home.json(&["subscriptions", "--tenant", "acme"]).len(), 1);
    assert!(home.ok(&["subscriptions", "show", "crm"]).contains("ackTimeoutMs    30000\n"));
}

#[test]
fn another_definition_is_refused_until_an_update_is_asked_for() {
    let home = Home::new();
    let _server = home.serve();
    home.ok(&["subscriptions", "put", "crm", "ticket.*"]);
    assert_eq!(home.ok(&["subscriptions", "put", "crm", "ticket.*"]), "crm stood as asked: ticket.*\n");
    let done = home.run(&["subscriptions", "put", "crm", "order.*"]);
    assert_eq!(done.code, 1);
    let told = "error[definition_differs]: `crm` stands with another definition; --update changes it\n  /types ";
    assert!(done.err.starts_with(told), "{done:?}");
    assert_eq!(home.ok(&["subscriptions", "put", "crm", "order.*", "--update"]), "crm stands as asked: order.*\n");
}

#[test]
fn one_is_paused_resumed_moved_and_removed() {
    let home = Home::new();
    let _server = home.serve();
    home.ok(&["subscriptions", "put", "crm", "ticket.*"]);
    home.ok(&["publish", "ticket.created", "{}"]);
    assert_eq!(home.ok(&["subscriptions", "pause", "crm"]), "crm paused, lag 1\n");
    assert_eq!(home.run(&["subscriptions", "pull", "crm"]).err, "nothing is due\n");
    assert_eq!(home.ok(&["subscriptions", "resume", "crm"]), "crm running, lag 1\n");
    let pulled = home.run(&["subscriptions", "pull", "crm", "--ack"]);
    assert_eq!((pulled.code, pulled.err.as_str()), (0, "acknowledged 1 delivery\n"), "{pulled:?}");
    assert!(home.json(&["subscriptions", "pull", "crm"]).is_empty());
    home.ok(&["subscriptions", "seek", "crm", "earliest"]);
    assert_eq!(home.json(&["subscriptions", "pull", "crm", "--wait", "20s"]).len(), 1);
    assert_eq!(home.ok(&["subscriptions", "remove", "crm"]), "removed crm\n");
    assert_eq!(home.run(&["subscriptions", "show", "crm"]).code, 1);
}

#[test]
fn a_replay_delivers_what_was_acknowledged_once_more_and_is_followed_to_its_end() {
    let home = Home::new();
    let _server = home.serve();
    home.ok(&["subscriptions", "put", "crm", "ticket.*"]);
    home.ok(&["publish", "ticket.created", "{}"]);
    assert_eq!(home.json(&["subscriptions", "pull", "crm", "--ack"]).len(), 1);
    let begun = home.json(&["subscriptions", "replay", "crm", "--from", "earliest"]);
    let operation = begun[0]["operation"].as_str().unwrap();
    let pulled = home.json(&["subscriptions", "pull", "crm", "--wait", "20s", "--ack"]);
    assert_eq!(pulled[0]["replay"].as_str(), Some(operation));
    let ended = home.json(&["operations", operation, "--wait"]);
    assert_eq!((ended[0]["state"].as_str(), ended[0]["kind"].as_str()), (Some("done"), Some("replay")));
    assert!(home.ok(&["operations", operation]).starts_with("replay done, "));
}

#[test]
fn an_unknown_name_is_told_with_the_nearest_and_with_the_owner_that_has_it() {
    let home = Home::new();
    let _server = home.serve();
    home.ok(&["subscriptions", "put", "chat", "a.*"]);
    home.ok(&["subscriptions", "put", "calendar", "a.*", "--tenant", "acme"]);
    let near = home.run(&["subscriptions", "pull", "caht"]);
    assert_eq!((near.code, near.err.as_str()), (1, "error[not_found]: no subscription `caht`; did you mean `chat`?\n"));
    let elsewhere = home.run(&["subscriptions", "pause", "calendar"]);
    assert_eq!(elsewhere.err, "error[not_found]: no subscription `calendar`; `acme` has one: --tenant acme\n");
    let nothing = home.run(&["subscriptions", "remove", "zzz"]);
    assert_eq!(nothing.err, "error[not_found]: no subscription `zzz`\n");
}

/// Pulls what is due and declares all of it dead; how many.
fn bury(home: &Home) -> usize {
    let pulled = home.json(&["subscriptions", "pull", "crm"]);
    let mut settle = vec!["subscriptions", "settle", "crm", "--error", "no"];
    pulled.iter().for_each(|delivery| settle.extend(["--dead", delivery["deliveryId"].as_str().unwrap()]));
    home.ok(&settle);
    pulled.len()
}

#[test]
fn dead_letters_are_retried_and_discarded_together() {
    let home = Home::new();
    let _server = home.serve();
    home.ok(&["subscriptions", "put", "crm", "ticket.*"]);
    let events: String = (0..6).map(|n| format!("{{\"type\":\"ticket.created\",\"key\":\"{n}\"}}\n")).collect();
    let publish = || assert_eq!(fed(&mut home.command(&["publish", "--batch", "-"]), &events).out, "stored 6 events\n");
    publish();
    assert_eq!(bury(&home), 6);
    assert_eq!(home.ok(&["dead-letters", "--subscription", "crm", "-n", "2"]).lines().count(), 3);
    let retried = home.json(&["dead-letters", "retry", "--all", "--subscription", "crm", "--wait"]);
    assert_eq!((retried[0]["state"].as_str(), retried[0]["done"].as_u64()), (Some("done"), Some(6)));
    assert_eq!(home.json(&["subscriptions", "pull", "crm", "--wait", "20s", "--ack"]).len(), 6);
    assert!(home.json(&["dead-letters"]).is_empty());

    publish();
    assert_eq!(bury(&home), 6);
    let discarded = home.json(&["dead-letters", "discard", "--all", "--type", "ticket.created", "--wait"]);
    assert_eq!((discarded[0]["state"].as_str(), discarded[0]["done"].as_u64()), (Some("done"), Some(6)));
    assert!(home.json(&["dead-letters"]).is_empty());
}

#[test]
fn a_settlement_that_came_too_late_is_refused() {
    let home = Home::new();
    let _server = home.serve();
    home.ok(&["subscriptions", "put", "crm", "ticket.*"]);
    home.ok(&["publish", "ticket.created", "{}"]);
    let pulled = home.json(&["subscriptions", "pull", "crm"]);
    let id = pulled[0]["deliveryId"].as_str().unwrap();
    assert_eq!(home.ok(&["subscriptions", "settle", "crm", "--extend", id, "--by", "1m"]), format!("settled {id}\n"));
    home.ok(&["subscriptions", "settle", "crm", "--ack", id]);
    let late = home.run(&["subscriptions", "settle", "crm", "--ack", id]);
    assert_eq!((late.code, late.out), (1, format!("stale {id}\n")));
    assert!(late.err.starts_with("error[stale]: 1 of 1 no longer yours"), "{}", late.err);
}

#[test]
fn a_watched_table_is_drawn_again_with_rates() {
    let home = Home::new();
    let _server = home.serve();
    home.ok(&["subscriptions", "put", "crm", "ticket.*"]);
    let watching = home.start(&["subscriptions", "--watch"]);
    assert!(watching.line().ends_with("  RATE"));
    assert!(watching.line().trim_end().ends_with('-'));
    assert_eq!(watching.line(), "");
    assert!(watching.line().ends_with("  RATE"));
    assert!(watching.line().ends_with(" 0/s"));
}
