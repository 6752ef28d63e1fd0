use proptest::prelude::*;

use super::*;

fn catches(pattern: &str, event_type: &str) -> bool {
    Pattern::new(pattern).unwrap().matches(&EventType::new(event_type).unwrap())
}

#[test]
fn the_wildcard_matrix() {
    let types = ["shift", "shift.created", "shift.signup.created", "shift.signup.now.created", "ticket.created"];
    let matrix = [
        ("shift", [true, false, false, false, false]),
        ("shift.created", [false, true, false, false, false]),
        ("shift.*", [false, true, true, true, false]),
        ("shift.*.created", [false, false, true, false, false]),
        ("shift.*.*", [false, false, true, true, false]),
        ("shift.*.*.created", [false, false, false, true, false]),
        ("*", [true, true, true, true, true]),
        ("*.*", [false, true, true, true, true]),
        ("*.created", [false, true, false, false, true]),
        ("*.*.created", [false, false, true, false, false]),
        ("*.signup.*", [false, false, true, true, false]),
        ("*.*.*", [false, false, true, true, false]),
        ("shi.*", [false; 5]),
        ("Shift.*", [false; 5]),
    ];
    for (pattern, expected) in matrix {
        assert_eq!(types.map(|event_type| catches(pattern, event_type)), expected, "{pattern}");
    }
}

#[test]
fn only_whole_segments_may_be_stars() {
    for text in ["", ".", "**", "shift.**", "sh*", "*t.created", "shift..*", "!a", "!!a", "a b", "?", "#", ">"] {
        let error = Pattern::new(text).unwrap_err();
        assert_eq!((error.kind(), error.fields()[0].code), (ErrorKind::InvalidBody, "invalid_pattern"), "{text:?}");
    }
    assert!(Pattern::new(&["*"; 101].join(".")).unwrap_err().detail().contains("201 bytes"));
    assert!(Pattern::new(&"x".repeat(300_000)).unwrap_err().detail().len() < 200);
}

#[test]
fn a_pattern_without_a_star_names_one_type() {
    assert!(Pattern::new("shift.created").unwrap().is_exact());
    assert!(!Pattern::new("shift.*").unwrap().is_exact());
    assert!(!Pattern::new("*").unwrap().is_exact());
}

fn wants(patterns: &str, event_type: &str) -> bool {
    patterns.parse::<Patterns>().unwrap().matches(&EventType::new(event_type).unwrap())
}

#[test]
fn exclusions_take_away_from_what_is_caught() {
    assert!(wants("* !video.viewed", "video.published"));
    assert!(!wants("* !video.viewed", "video.viewed"));
    assert!(!wants("!video.* video.viewed", "video.viewed"));
    assert!(wants("shift.* ticket.* !*.deleted", "ticket.created"));
    assert!(!wants("shift.* ticket.* !*.deleted", "shift.deleted"));
    assert!(!wants("* !*", "shift.deleted"));
}

#[test]
fn every_text_at_fault_is_named_by_its_index() {
    let error = Patterns::parse(["shift.*", "a**", "!ok", "!!b", "!"]).unwrap_err();
    let pointers: Vec<_> = error.fields().iter().map(|fault| &*fault.pointer).collect();
    assert_eq!(pointers, ["/types/1", "/types/3", "/types/4"]);
}

#[test]
fn exclusions_alone_name_no_type() {
    for texts in [&[][..], &["!shift.*"]] {
        let error = Patterns::parse(texts).unwrap_err();
        assert_eq!(error.fields()[0].pointer, "/types");
        assert!(error.detail().contains("names no type"));
    }
}

#[test]
fn patterns_are_the_same_in_any_order() {
    let parse = |text: &str| text.parse::<Patterns>().unwrap();
    assert!(parse("a.* b !c !d").same(&parse("!d b a.* !c b")));
    assert!(!parse("a.* b").same(&parse("a.*")));
    assert!(!parse("* !a").same(&parse("* !b")));
}

#[test]
fn json_lists_the_texts() {
    let patterns = "shift.* !shift.viewed ticket.created".parse::<Patterns>().unwrap();
    let json = serde_json::to_string(&patterns).unwrap();
    assert_eq!(json, r#"["shift.*","ticket.created","!shift.viewed"]"#);
    assert_eq!(serde_json::from_str::<Patterns>(&json).unwrap(), patterns);
    assert_eq!(serde_json::to_string(&Patterns::all()).unwrap(), r#"["*"]"#);
}

/// The rule as one would write it down: by regular expression over segments, here by recursion.
fn rule(pattern: &[&str], segments: &[&str]) -> bool {
    match (pattern, segments) {
        ([], []) => true,
        (["*"], [_, ..]) => true,
        ([star_or_name, pattern @ ..], [segment, segments @ ..]) => {
            (*star_or_name == "*" || star_or_name == segment) && rule(pattern, segments)
        }
        _ => false,
    }
}

proptest! {
    #[test]
    fn matching_follows_the_rule(pattern in "(a|b|\\*)(\\.(a|b|\\*)){0,4}", event_type in "(a|b)(\\.(a|b)){0,4}") {
        let expected = rule(&pattern.split('.').collect::<Vec<_>>(), &event_type.split('.').collect::<Vec<_>>());
        prop_assert_eq!(catches(&pattern, &event_type), expected);
    }

    #[test]
    fn a_type_is_a_pattern_that_catches_itself_alone(a in "[ab.]{1,6}", b in "[ab.]{1,6}") {
        if let (Ok(a), Ok(b)) = (EventType::new(&*a), EventType::new(&*b)) {
            prop_assert_eq!(catches(a.as_str(), b.as_str()), a == b);
        }
    }
}
