use crate::support::Home;

#[test]
fn a_bench_counts_what_is_lost_out_of_order_or_repeated_and_leaves_no_subscription() {
    let home = Home::new();
    let _server = home.serve();
    let measured =
        &home.json(&["bench", "--events", "300", "--publishers", "4", "--batch", "10", "--payload", "500"])[0];
    for (count, expected) in [("events", 300), ("lost", 0), ("outOfOrder", 0), ("duplicates", 0)] {
        assert_eq!(measured[count].as_u64(), Some(expected), "{measured}");
    }
    for part in ["publish", "pull", "endToEnd"] {
        assert!(measured[part]["perSecond"].as_u64().unwrap() > 0, "{measured}");
        assert!(measured[part]["p99Ms"].as_f64().unwrap() >= measured[part]["p50Ms"].as_f64().unwrap(), "{measured}");
        assert!(measured[part]["p50Ms"].as_f64().unwrap() > 0.0, "{measured}");
    }
    assert!(home.json(&["subscriptions"]).is_empty());
    let payload = home.json(&["events", "--tenant", "bench", "-n", "1", "--oldest-first"])[0]["payload"].to_string();
    assert!((450..=550).contains(&payload.len()), "{}", payload.len());
}

#[test]
fn a_bench_of_publishing_alone_makes_no_subscription_and_tells_its_rate() {
    let home = Home::new();
    let _server = home.serve();
    let told = home.ok(&["bench", "--events", "50", "--subscription", "none"]);
    assert!(told.starts_with("50 events of 200 bytes, 8 publishers, 1 a call, each call awaited\npublish  "), "{told}");
    assert_eq!(told.lines().count(), 2);
}

#[test]
fn a_bench_that_is_interrupted_takes_its_subscription_away() {
    let home = Home::new();
    let _server = home.serve();
    let mut bench = home.start(&["bench", "--events", "10000000"]);
    let tail = home.start(&["tail", "-n", "1", "--tenant", "bench"]);
    tail.line();
    bench.signal("INT");
    assert_eq!(bench.wait(), 130);
    assert!(home.json(&["subscriptions"]).is_empty());
}
