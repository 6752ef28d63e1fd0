use crate::support::Home;

/// Pulls one delivery and gives its id.
fn pull(home: &Home) -> String {
    let deliveries = home.json(&["subscriptions", "pull", "chat", "--wait", "20s"]);
    assert_eq!(deliveries.len(), 1, "{deliveries:?}");
    deliveries[0]["deliveryId"].as_str().unwrap().to_owned()
}

#[test]
fn an_event_is_published_pulled_failed_dead_retried_and_acknowledged() {
    let home = Home::new();
    let server = home.serve();
    let publish = ["publish", "shift.created", r#"{"shift":"s-118"}"#, "--tenant", "acme", "--key", "s-118"];

    let done = home.run(&publish);
    assert!(done.out.starts_with("stored ") && done.out.ends_with(" for nobody\n"), "{done:?}");
    assert!(done.err.starts_with("note: nothing listens"), "{done:?}");

    let made = home.ok(&["subscriptions", "put", "chat", "shift.*", "--attempts", "2", "--delay", "0s"]);
    assert_eq!(made, "chat made: shift.*\n");
    let stored = home.ok(&publish);
    let id = stored.strip_prefix("stored ").and_then(|rest| rest.strip_suffix(" for chat\n")).unwrap();

    let first = pull(&home);
    assert_eq!(
        home.ok(&["subscriptions", "settle", "chat", "--retry", &first, "--error", "503 from chat"]),
        format!("settled {first}\n")
    );
    let report = home.ok(&["events", id]);
    assert!(report.starts_with("shift.created  acme  key s-118  "), "{report}");
    assert!(
        report.contains("\n  chat  held       retry due, attempt 2 of 2: 503 from chat; s-118 waits, nothing else\n"),
        "{report}"
    );

    let second = pull(&home);
    assert_ne!(first, second);
    home.ok(&["subscriptions", "settle", "chat", "--retry", &second, "--error", "404 no such room"]);
    let letters = home.json(&["dead-letters"]);
    assert_eq!((letters.len(), letters[0]["error"].as_str()), (1, Some("404 no such room")));
    let letter = letters[0]["id"].as_str().unwrap();
    let report = home.ok(&["events", id]);
    let told = format!("\n  chat  dead       after 2: 404 no such room     busway dead-letters retry {letter}\n");
    assert!(report.contains(&told), "{report}");

    assert_eq!(
        home.ok(&["dead-letters", "edit", letter, r#"{"shift":"mended"}"#]),
        format!("edited {letter}: busway dead-letters retry {letter}\n")
    );
    assert!(home.ok(&["dead-letters", "show", letter]).contains("edited to  {\"shift\":\"mended\"}"));
    assert_eq!(home.ok(&["dead-letters", "retry", letter]), format!("retrying {letter}\n"));
    let again = home.json(&["subscriptions", "pull", "chat", "--wait", "20s"]);
    assert_eq!(
        (again[0]["attempt"].as_u64(), again[0]["event"]["payload"]["shift"].as_str()),
        (Some(1), Some("mended"))
    );
    home.ok(&["subscriptions", "settle", "chat", "--ack", again[0]["deliveryId"].as_str().unwrap()]);
    assert_eq!(home.run(&["dead-letters"]).err, "no dead letters\n");
    assert!(home.ok(&["events", id]).contains("\n  chat  delivered"));

    assert!(server.stop().ends_with("stopped: nothing was in flight"));
}
