use crate::support::{Home, free_address};

#[test]
fn events_are_shown_as_they_arrive_on_a_line_each() {
    let home = Home::new();
    let _server = home.serve();
    home.ok(&["publish", "ticket.created", "{\"before\":1}"]);
    let mut tail = home.start(&["tail", "ticket.*", "!ticket.viewed", "--tenant", "acme", "-n", "2"]);
    tail.says("listening at");
    let at = "2026-01-31T12:00:00Z";
    home.ok(&[
        "publish",
        "ticket.created",
        "{\"a\":1, \"b\": \"\u{9b}2J\"}",
        "--tenant",
        "acme",
        "--key",
        "7",
        "--time",
        at,
    ]);
    home.ok(&["publish", "ticket.viewed", "--tenant", "acme"]);
    home.ok(&["publish", "ticket.created", "--tenant", "hill"]);
    home.ok(&["publish", "ticket.closed", "--tenant", "acme", "--time", at]);
    assert_eq!(tail.line(), "ticket.created  acme  7  2026-01-31 12:00:00  {\"a\":1,\"b\":\"\\u009b2J\"}");
    assert_eq!(tail.line(), "ticket.closed  acme  -  2026-01-31 12:00:00  {}");
    assert_eq!(tail.wait(), 0);
}

#[test]
fn a_tail_goes_on_where_it_was_once_its_server_is_back() {
    let home = Home::new();
    let address = free_address();
    let server = home.serve_on(&address);
    let mut tail = home.start(&["tail", "--json", "-n", "3"]);
    tail.says("listening at");
    home.ok(&["publish", "a", "{\"n\":1}"]);
    assert!(tail.line().contains("{\"n\":1}"));
    server.stop();
    tail.says("trying again");
    home.ok(&["publish", "a", "{\"n\":2}"]);
    let _server = home.serve_on(&address);
    tail.says("connected again");
    home.ok(&["publish", "a", "{\"n\":3}"]);
    assert!(tail.line().contains("{\"n\":2}"));
    assert!(tail.line().contains("{\"n\":3}"));
    assert_eq!(tail.wait(), 0);
}

#[test]
fn a_position_of_another_log_is_refused() {
    let home = Home::new();
    let _server = home.serve();
    let lost = home.run(&["tail", "--since", "1.1.1.1.1.1.1.1.1"]);
    assert_eq!(lost.code, 1);
    assert!(lost.err.starts_with("error[position_lost]: "), "{}", lost.err);
    assert_eq!(home.run(&["tail", "--since", "yesterday"]).code, 1);
    assert_eq!(home.run(&["tail", "ticket..x"]).code, 1);
}
