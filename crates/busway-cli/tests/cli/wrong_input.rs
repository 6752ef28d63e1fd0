use crate::support::{Home, fed};

#[test]
fn bad_events_are_refused_with_a_line_for_each_fault() {
    let home = Home::new();
    let _server = home.serve();
    let done = home.run(&["publish", "donation.completed", "{bad"]);
    assert_eq!((done.code, done.out.as_str()), (1, ""));
    assert!(
        done.err.starts_with("error[invalid_event]: donation.completed; nothing was stored\n  /payload is not JSON: "),
        "{}",
        done.err
    );
    let done = home.run(&["publish", "donation..completed", "[1]", "--tenant", "a b", "--id", "7", "--time", "noon"]);
    assert_eq!(done.code, 1);
    let lines: Vec<&str> = done.err.lines().collect();
    assert_eq!(lines[0], "error[invalid_event]: donation..completed; nothing was stored");
    for pointer in ["/type", "/payload", "/tenantId", "/id", "/time"] {
        assert_eq!(lines.iter().filter(|line| line.starts_with(&format!("  {pointer} "))).count(), 1, "{lines:?}");
    }
    assert!(home.json(&["events"]).is_empty());
}

#[test]
fn a_payload_may_come_from_standard_input_or_a_file() {
    let home = Home::new();
    let _server = home.serve();
    let done = fed(&mut home.command(&["publish", "a", "-", "--json"]), "{\"n\":1}\n");
    assert_eq!(done.code, 0, "{done:?}");
    let stored: serde_json::Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(stored["duplicate"].as_bool(), Some(false));
    let missing = home.run(&["publish", "a", "@missing.json"]);
    assert_eq!(missing.code, 2);
    assert!(missing.err.starts_with("error[usage]: missing.json cannot be read: "), "{}", missing.err);
}

#[test]
fn what_the_command_line_cannot_mean_is_a_usage_error() {
    let home = Home::new();
    for arguments in [
        &["publish"][..],
        &["publish", "a", "--flag"],
        &["publish", "a", "--batch", "f"],
        &["bogus"],
        &["tail", "-n", "many"],
        &["events", "0192", "--limit", "5"],
        &["subscriptions", "put", "crm"],
        &["subscriptions", "put", "crm", "a", "--delay", "5"],
        &["subscriptions", "put", "crm", "a", "--order", "random"],
        &["subscriptions", "settle", "crm"],
        &["subscriptions", "settle", "crm", "--extend", "x"],
        &["subscriptions", "replay", "crm"],
        &["dead-letters", "retry"],
        &["dead-letters", "retry", "7", "--all"],
        &["dead-letters", "retry", "seven"],
        &["dead-letters", "retry", "7", "--subscription", "crm"],
        &["operations"],
        &["bench", "--events", "0"],
    ] {
        let done = home.run(arguments);
        assert_eq!((done.code, done.out.as_str()), (2, ""), "{arguments:?}: {done:?}");
        assert!(done.err.starts_with("error: "), "{arguments:?}: {done:?}");
    }
}

#[test]
fn bad_definitions_are_refused_with_a_line_for_each_fault() {
    let home = Home::new();
    let _server = home.serve();
    let done =
        home.run(&["subscriptions", "put", "crm", "a..*", "--attempts", "0", "--jitter", "3", "--start", "noon"]);
    assert_eq!(done.code, 1);
    let lines: Vec<&str> = done.err.lines().collect();
    assert_eq!(lines[0], "error[invalid_body]: `crm`; nothing was changed");
    for pointer in ["/types/0", "/retry/attempts", "/retry/jitter", "/start"] {
        assert_eq!(lines.iter().filter(|line| line.starts_with(&format!("  {pointer} "))).count(), 1, "{lines:?}");
    }
}

#[test]
fn ids_that_name_nothing_are_not_found() {
    let home = Home::new();
    let _server = home.serve();
    let operation = "019a2c44-1b3c-7000-8000-000000000001";
    for arguments in [
        &["events", "019a2c44"][..],
        &["operations", operation],
        &["operations", operation, "--cancel"],
        &["dead-letters", "show", "7"],
        &["dead-letters", "retry", "7"],
        &["dead-letters", "edit", "7", "{}"],
    ] {
        let done = home.run(arguments);
        assert_eq!((done.code, done.out.as_str()), (1, ""), "{arguments:?}: {done:?}");
        assert!(done.err.starts_with("error[not_found]: "), "{arguments:?}: {done:?}");
    }
}
