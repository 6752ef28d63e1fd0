use proptest::prelude::*;

use super::*;

fn millis(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_millis)
}

#[test]
fn a_time_is_written_in_utc_with_milliseconds() {
    assert_eq!(Timestamp::from_millis(0).to_string(), "1970-01-01T00:00:00.000Z");
    assert_eq!(Timestamp::from_millis(-1).to_string(), "1969-12-31T23:59:59.999Z");
    assert_eq!(Timestamp::from_millis(1_769_860_800_007).to_string(), "2026-01-31T12:00:00.007Z");
    assert_eq!(Timestamp::MIN.to_string(), "0000-01-01T00:00:00.000Z");
    assert_eq!(Timestamp::MAX.to_string(), "9999-12-31T23:59:59.999Z");
}

#[test]
fn a_time_fills_the_width_of_a_table() {
    assert_eq!(format!("{:>26}|", Timestamp::default()), "  1970-01-01T00:00:00.000Z|");
}

#[test]
fn the_limits_are_read_back() {
    assert_eq!("0000-01-01T00:00:00Z".parse(), Ok(Timestamp::MIN));
    assert_eq!("9999-12-31T23:59:59.999Z".parse(), Ok(Timestamp::MAX));
}

#[test]
fn an_offset_is_reckoned_to_utc() {
    let noon = millis("2026-01-31T12:00:00Z");
    assert!(noon.is_some());
    assert_eq!(millis("2026-01-31T13:00:00+01:00"), noon);
    assert_eq!(millis("2026-01-31T06:30:00-05:30"), noon);
    assert_eq!(millis("2026-02-01T11:59:00+23:59"), noon);
    assert_eq!(millis("2026-01-31T12:00:00-00:00"), noon);
    assert_eq!(millis("2026-01-31t12:00:00z"), noon);
}

#[test]
fn what_is_finer_than_a_millisecond_is_cut_off_towards_the_past() {
    assert_eq!(millis("1970-01-01T00:00:00.5Z"), Some(500));
    assert_eq!(millis("1970-01-01T00:00:00.05Z"), Some(50));
    assert_eq!(millis("1970-01-01T00:00:00.123999999999999999999Z"), Some(123));
    assert_eq!(millis("1969-12-31T23:59:59.9999Z"), Some(-1));
}

#[test]
fn a_leap_second_counts_as_the_last_millisecond_of_its_day() {
    assert_eq!(millis("2016-12-31T23:59:60Z"), millis("2016-12-31T23:59:59.999Z"));
    assert_eq!(millis("2017-01-01T00:59:60.5+01:00"), millis("2016-12-31T23:59:59.999Z"));
    assert_eq!(millis("2016-12-31T12:00:60Z"), None);
}

#[test]
fn leap_days_are_known() {
    assert!(millis("2024-02-29T00:00:00Z").is_some());
    assert!(millis("2000-02-29T00:00:00Z").is_some());
    assert_eq!(millis("2023-02-29T00:00:00Z"), None);
    assert_eq!(millis("1900-02-29T00:00:00Z"), None);
}

#[test]
fn what_is_not_rfc_3339_is_refused() {
    let refused = [
        "",
        "now",
        "1769860800",
        "2026-01-31",
        "2026-01-31T12:00:00",
        "2026-01-31T12:00Z",
        "2026-01-31 12:00:00Z",
        "20260131T120000Z",
        "2026-1-31T12:00:00Z",
        "2026-13-01T12:00:00Z",
        "2026-00-01T12:00:00Z",
        "2026-01-00T12:00:00Z",
        "2026-01-32T12:00:00Z",
        "2026-04-31T12:00:00Z",
        "2026-01-31T24:00:00Z",
        "2026-01-31T12:60:00Z",
        "2026-01-31T12:00:61Z",
        "2026-01-31T12:00:00.Z",
        "2026-01-31T12:00:00,5Z",
        "2026-01-31T12:00:00+0100",
        "2026-01-31T12:00:00+01",
        "2026-01-31T12:00:00+24:00",
        "2026-01-31T12:00:00+01:60",
        "2026-01-31T12:00:00Z ",
        " 2026-01-31T12:00:00Z",
        "2026-01-31T12:00:00ZZ",
        "2026-01-31T12:00:00[UTC]",
        "+2026-01-31T12:00:00Z",
        "-001-01-31T12:00:00Z",
        "2026-01-31T12:00:00\u{2212}01:00",
        "２０２６-01-31T12:00:00Z",
        "0000-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
    ];
    for text in refused {
        assert_eq!(text.parse::<Timestamp>(), Err(InvalidTime), "{text:?}");
    }
}

#[test]
fn reckoning_stops_at_the_limits() {
    assert_eq!(Timestamp::MAX + Duration::MAX, Timestamp::MAX);
    assert_eq!(Timestamp::MIN - Duration::MAX, Timestamp::MIN);
    assert_eq!(Timestamp::from_millis(i64::MAX), Timestamp::MAX);
    assert_eq!(Timestamp::from_millis(i64::MIN), Timestamp::MIN);
    assert_eq!(Timestamp::default() + Duration::from_millis(2) - Duration::from_millis(1), Timestamp::from_millis(1));
}

#[test]
fn since_is_never_negative() {
    let (early, late) = (Timestamp::from_millis(-5), Timestamp::from_millis(5));
    assert_eq!(late.since(early), Duration::from_millis(10));
    assert_eq!(early.since(late), Duration::ZERO);
}

#[test]
fn json_carries_the_text() {
    let time = Timestamp::from_millis(1_769_860_800_007);
    assert_eq!(serde_json::to_string(&time).unwrap(), "\"2026-01-31T12:00:00.007Z\"");
    assert_eq!(serde_json::from_str::<Timestamp>("\"2026-01-31T12:00:00.007\\u005a\"").unwrap(), time);
    let error = serde_json::from_str::<Timestamp>("\"soon\"").unwrap_err().to_string();
    assert!(error.contains("\"soon\" is no RFC 3339 time"), "{error}");
}

proptest! {
    #[test]
    fn every_time_is_read_back_as_it_was_written(ms in Timestamp::MIN.as_millis()..=Timestamp::MAX.as_millis()) {
        let time = Timestamp::from_millis(ms);
        prop_assert_eq!(time.to_string().parse(), Ok(time));
    }

    #[test]
    fn the_calendar_agrees_with_another_one(ms in Timestamp::MIN.as_millis()..=253_402_207_200_000_i64) {
        let oracle = jiff::Timestamp::from_millisecond(ms).unwrap();
        prop_assert_eq!(Timestamp::from_millis(ms).to_string(), format!("{oracle:.3}"));
    }

    #[test]
    fn reading_agrees_with_another_parser(
        text in "[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])",
    ) {
        let theirs = text.parse::<jiff::Timestamp>().ok().map(|time| time.as_nanosecond().div_euclid(1_000_000));
        let in_range = |ms: &i128| *ms >= Timestamp::MIN.as_millis().into();
        prop_assume!(!text.starts_with("9999-12-3"));
        prop_assert_eq!(millis(&text).map(i128::from), theirs.filter(in_range), "{}", text);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,40}") {
        let _ = text.parse::<Timestamp>();
    }
}
