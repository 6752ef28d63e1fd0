use crate::support::{Home, fed};

fn lines(count: usize) -> String {
    (0..count)
        .map(|n| format!("{{\"type\":\"order.placed\",\"key\":\"{}\",\"payload\":{{\"n\": {n}}}}}\n", n % 7))
        .collect()
}

#[test]
fn a_file_of_events_is_published_in_its_order_in_as_few_calls_as_possible() {
    let home = Home::new();
    let _server = home.serve();
    home.write("events.jsonl", &lines(2_500));
    assert_eq!(home.ok(&["publish", "--batch", "events.jsonl", "--tenant", "acme"]), "stored 2,500 events\n");
    let stored = home.json(&["events", "--tenant", "acme", "--key", "3", "--oldest-first", "-n", "2000"]);
    let numbers: Vec<u64> = stored.iter().map(|event| event["payload"]["n"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (0..2_500).filter(|n| n % 7 == 3).collect::<Vec<_>>());
}

#[test]
fn a_repeat_under_the_same_ids_is_told_as_duplicates() {
    let home = Home::new();
    let _server = home.serve();
    let id = "6ba7b810-9dad-41d1-80b4-00c04fd430c8";
    let events = format!("{{\"type\":\"a\",\"id\":\"{id}\"}}\n\n{{\"type\":\"a\"}}\n");
    assert_eq!(fed(&mut home.command(&["publish", "--batch", "-"]), &events).out, "stored 2 events\n");
    assert_eq!(fed(&mut home.command(&["publish", "--batch", "-"]), &events).out, "stored 1 event, 1 duplicate\n");
    let single = home.ok(&["publish", "a", "--id", id]);
    assert_eq!(single, "duplicate 6ba7b810: stored before, delivered to nobody again\n");
}

#[test]
fn a_bad_line_is_named_with_its_fields_and_what_was_stored_before_it() {
    let home = Home::new();
    let _server = home.serve();
    let bad = "{\"type\":\"order.placed\",\"tenantId\":\"a b\",\"payload\":[]}\n";
    home.write("one.jsonl", &format!("{}{bad}", lines(3)));
    let done = home.run(&["publish", "--batch", "one.jsonl"]);
    assert_eq!(done.code, 1);
    assert!(
        done.err
            .starts_with("error[invalid_event]: line 4, order.placed; nothing was stored\n  /tenantId \"a b\" has ' '"),
        "{}",
        done.err
    );
    assert!(done.err.contains("\n  /payload must be a JSON object"), "{}", done.err);
    assert!(home.json(&["events"]).is_empty());

    home.write("many.jsonl", &format!("{}{bad}", lines(1_000)));
    let done = home.run(&["publish", "--batch", "many.jsonl"]);
    assert!(
        done.err
            .starts_with("error[invalid_event]: line 1,001, order.placed; only the 1,000 events before were stored\n"),
        "{}",
        done.err
    );

    home.write("text.jsonl", "{\"type\":\"a\"}\nhello\n");
    let done = home.run(&["publish", "--batch", "text.jsonl"]);
    assert!(done.err.starts_with("error[invalid_event]: line 2 is no event: "), "{}", done.err);
    assert_eq!(home.run(&["publish", "--batch", "missing.jsonl"]).code, 2);
}
