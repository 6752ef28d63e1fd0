use std::{fmt, time::Duration};

use serde::Serialize;

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// It works, and will cost something: speed, space, events in a crash.
    Warn,
    /// Something does not work, or events are at risk now.
    Fail,
}

/// What a check of a running bus found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// What was looked at, as one word for programs: `fsync`, `lag`.
    pub check: &'static str,
    /// Which one of several was looked at: a subscription, a table.
    pub subject: Option<String>,
    /// What was found, as a sentence that stands alone.
    pub detail: String,
    /// The way out; none where all is well.
    pub remedy: Option<String>,
}

impl Finding {
    /// Something is as it should be.
    pub fn ok(check: &'static str, detail: impl Into<String>) -> Self {
        Self { level: Level::Ok, check, subject: None, detail: detail.into(), remedy: None }
    }

    /// Something will cost something.
    pub fn warn(check: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { level: Level::Warn, remedy: Some(remedy.into()), ..Self::ok(check, detail) }
    }

    /// Something does not work.
    pub fn fail(check: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { level: Level::Fail, remedy: Some(remedy.into()), ..Self::ok(check, detail) }
    }

    /// The same, of this one of several.
    pub fn about(self, subject: impl Into<String>) -> Self {
        Self { subject: Some(subject.into()), ..self }
    }
}

/// A length of time in a sentence: `0.4 s`, `14 s`, `4 min`, `3 h`, `12 d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Age(pub Duration);

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            0..10 => write!(f, "{:.1} s", self.0.as_secs_f64()),
            seconds @ 10..120 => write!(f, "{seconds} s"),
            seconds @ 120..7_200 => write!(f, "{} min", seconds / 60),
            seconds @ 7_200..172_800 => write!(f, "{} h", seconds / 3_600),
            seconds => write!(f, "{} d", seconds / 86_400),
        }
    }
}

/// A number of bytes in a sentence: `512 B`, `1.5 MB`, `12 GB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let larger = ["kB", "MB", "GB", "TB"];
        let mut size = self.0 as f64;
        let mut unit = "B";
        for next in larger {
            if size < 1_000.0 {
                break;
            }
            (size, unit) = (size / 1_000.0, next);
        }
        if unit != "B" && size < 10.0 { write!(f, "{size:.1} {unit}") } else { write!(f, "{size:.0} {unit}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_and_sizes_are_rounded_to_what_a_person_wants_to_know() {
        let age = |seconds: f64| Age(Duration::from_secs_f64(seconds)).to_string();
        assert_eq!([age(0.42), age(14.9), age(240.0), age(10_800.0)], ["0.4 s", "14 s", "4 min", "3 h"]);
        assert_eq!(age(86_400.0 * 12.0), "12 d");
        let size = |bytes| Size(bytes).to_string();
        assert_eq!([size(0), size(999), size(1_500), size(12_000_000_000)], ["0 B", "999 B", "1.5 kB", "12 GB"]);
    }

    #[test]
    fn a_failure_is_worse_than_a_warning() {
        assert!(Level::Fail > Level::Warn && Level::Warn > Level::Ok);
    }
}
