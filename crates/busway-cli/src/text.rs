use std::fmt::Write;

use jiff::{Timestamp, Zoned, tz::TimeZone};

/// The text with control characters escaped: what others wrote must not steer the terminal.
pub(crate) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            // Writing to a String cannot fail.
            let _ = write!(shown, "\\u{:04x}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    shown
}

/// At most `most` characters of the text, an ellipsis where some are missing.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// An RFC 3339 time as a person at this place reads it: the time alone if it is today, else with its date.
pub(crate) fn local_time(rfc3339: &str) -> String {
    let Ok(time) = rfc3339.parse::<Timestamp>() else { return printable(rfc3339) };
    let (time, today) = (time.to_zoned(TimeZone::system()), Zoned::now().date());
    if time.date() == today { time.strftime("%H:%M:%S%.3f") } else { time.strftime("%Y-%m-%d %H:%M:%S") }.to_string()
}

/// How long from now until an RFC 3339 time, or since it if negative, in milliseconds.
pub(crate) fn millis_until(rfc3339: &str) -> Option<i64> {
    Some(rfc3339.parse::<Timestamp>().ok()?.as_millisecond() - Timestamp::now().as_millisecond())
}

/// A number with thousands set apart.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// `1 event`, `2 events`, `1,000 events`.
pub(crate) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\u{9b}c"), "a\\u001b[2Jb\\u009bc");
    }

    #[test]
    fn a_shortened_text_shows_that_something_is_missing() {
        assert_eq!(shortened("abc", 3), "abc");
        assert_eq!(shortened("äbcd", 3), "äb…");
    }

    #[test]
    fn numbers_have_their_thousands_set_apart() {
        assert_eq!([count(0), count(999), count(1_000), count(1_234_567)], ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([counted(1, "event", "events"), counted(1_000, "event", "events")], ["1 event", "1,000 events"]);
    }

    #[test]
    fn a_time_that_is_none_is_shown_as_it_came() {
        assert_eq!(local_time("yesterday"), "yesterday");
    }
}
