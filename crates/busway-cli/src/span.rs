use std::{fmt, str::FromStr, time::Duration};

use serde::Deserialize;

/// A length of time as people write it: `500ms`, `30s`, `5m`, `2h`, `30d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Span(pub Duration);

const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

impl Span {
    /// In milliseconds.
    pub(crate) fn as_millis(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let millis = UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .and_then(|(_, factor)| number.parse::<u64>().ok()?.checked_mul(*factor))
            .ok_or_else(|| format!("{text:?} is no length of time; write 500ms, 30s, 5m, 2h or 30d"))?;
        Ok(Self(Duration::from_millis(millis)))
    }
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for Span {
    /// Rounded to what a person wants to know: `312 ms`, `1.5 s`, `14 s`, `4 min`, `3 h`, `12 d`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.as_millis();
        match millis {
            0..1_000 => write!(f, "{millis} ms"),
            1_000..10_000 => write!(f, "{:.1} s", millis as f64 / 1e3),
            10_000..120_000 => write!(f, "{} s", millis / 1_000),
            120_000..7_200_000 => write!(f, "{} min", millis / 60_000),
            7_200_000..172_800_000 => write!(f, "{} h", millis / 3_600_000),
            _ => write!(f, "{} d", millis / 86_400_000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_people_write_them() {
        let millis = |text: &str| text.parse::<Span>().map(Span::as_millis);
        assert_eq!(millis("500ms"), Ok(500));
        assert_eq!(millis("30s"), Ok(30_000));
        assert_eq!(millis("30d"), Ok(2_592_000_000));
        for odd in ["", "s", "5", "5x", "-5s", "1.5s", "99999999999999999999s", "999999999999999999d"] {
            assert!(millis(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn spans_are_shown_rounded() {
        let shown = |millis| Span(Duration::from_millis(millis)).to_string();
        assert_eq!([shown(3), shown(800), shown(1_500)], ["3 ms", "800 ms", "1.5 s"]);
        assert_eq!([shown(14_400), shown(240_000), shown(11_000_000)], ["14 s", "4 min", "3 h"]);
    }
}
