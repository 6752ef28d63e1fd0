use std::process::Stdio;

use crate::support::Home;

#[test]
fn events_are_listed_newest_first_and_found_by_what_is_known_of_them() {
    let home = Home::new();
    let _server = home.serve();
    for n in 1..=3 {
        let payload = format!("{{\"orderId\":{n}}}");
        home.ok(&[
            "publish",
            "order.placed",
            &payload,
            "--tenant",
            "acme",
            "--key",
            "k",
            "--correlation",
            &format!("c-{n}"),
        ]);
    }
    home.ok(&["publish", "order.paid", "{}", "--tenant", "hill", "--time", "2026-01-31T12:00:00Z"]);
    let types = |arguments: &[&str]| -> Vec<String> {
        let events = home.json(&[&["events"], arguments].concat());
        events
            .iter()
            .map(|event| format!("{}{}", event["type"].as_str().unwrap(), event["payload"]["orderId"]))
            .collect()
    };
    assert_eq!(types(&[]), ["order.paidnull", "order.placed3", "order.placed2", "order.placed1"]);
    assert_eq!(types(&["--type", "order.placed", "--oldest-first", "-n", "2"]), ["order.placed1", "order.placed2"]);
    assert_eq!(types(&["--find", "/orderId=2"]), ["order.placed2"]);
    assert_eq!(types(&["--correlation", "c-3"]), ["order.placed3"]);
    assert_eq!(types(&["--tenant", "hill"]), ["order.paidnull"]);
    assert_eq!(types(&["--key", "k", "--before", "2000-01-01T00:00:00Z"]), [] as [&str; 0]);
    let table = home.ok(&["events"]);
    assert!(
        table.starts_with("ID ") && table.contains("  order.paid    hill    -    2026-01-31 12:00:00  {}\n"),
        "{table}"
    );
}

#[test]
fn an_id_may_be_shortened_to_what_is_unique() {
    let home = Home::new();
    let _server = home.serve();
    let ids = ["6ba7b810-9dad-41d1-80b4-00c04fd430c8", "6ba7b811-9dad-41d1-80b4-00c04fd430c8"];
    ids.iter().for_each(|id| drop(home.ok(&["publish", "a", "--id", id])));
    assert!(home.ok(&["events", "6ba7b810"]).starts_with("a  default  "));
    let several = home.run(&["events", "6ba7"]);
    assert_eq!(several.code, 1);
    assert!(ids.iter().all(|id| several.err.contains(id)), "{}", several.err);
    assert!(home.run(&["events", "6ba7b812"]).err.starts_with("error[not_found]: "));
}

#[test]
fn a_payload_is_given_back_as_it_was_sent_but_for_line_ends() {
    let home = Home::new();
    let _server = home.serve();
    home.write("event.json", "{\n  \"b\": 1.50,\n  \"a\": 1e2, \"text\": \"x  y\"\n}\n");
    home.ok(&["publish", "a", "@event.json"]);
    assert!(home.ok(&["events", "--json"]).contains(r#""payload":{"b":1.50,"a":1e2,"text":"x  y"}"#));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let home = Home::new();
    let _server = home.serve();
    home.ok(&["publish", "a"]);
    let mut child = home.command(&["events", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}
