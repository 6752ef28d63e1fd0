use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{Error, ErrorKind, EventType, FieldError, names::check_event_type};

/// Which types: segments joined by `.`, where `*` stands for one segment, and for one or more at the end.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pattern(Box<str>);

impl Pattern {
    /// Checked; the error names the field.
    pub fn new(text: &str) -> Result<Self, Error> {
        let plain = text.split('.').map(|segment| if segment == "*" { "x" } else { segment });
        match check_event_type(&plain.collect::<Vec<_>>().join(".")) {
            Ok(()) if text.len() <= 200 => Ok(Self(text.into())),
            Ok(()) => Err(invalid(format!("has {} bytes; at most 200 are allowed", text.len()))),
            Err(_) => Err(invalid(format!(
                "{text:?} is no pattern; segments of letters, digits, `_` and `-` joined by `.`, each of which may be `*`"
            ))),
        }
    }

    /// True if it names one type.
    pub fn is_exact(&self) -> bool {
        !self.0.split('.').any(|segment| segment == "*")
    }

    /// True if it catches this type.
    pub fn matches(&self, event_type: &EventType) -> bool {
        let mut segments = event_type.as_str().split('.');
        let mut pattern = self.0.split('.').peekable();
        while let Some(part) = pattern.next() {
            match segments.next() {
                None => return false,
                Some(_) if part == "*" => {
                    if pattern.peek().is_none() {
                        return true;
                    }
                }
                Some(segment) if segment == part => {}
                Some(_) => return false,
            }
        }
        segments.next().is_none()
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Several patterns and exclusions (`!video.viewed`): what a subscription wants.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Patterns {
    included: Vec<Pattern>,
    excluded: Vec<Pattern>,
}

impl Patterns {
    /// From texts such as `shift.*` and `!shift.viewed`; at least one must not be an exclusion.
    pub fn parse<S: AsRef<str>>(texts: impl IntoIterator<Item = S>) -> Result<Self, Error> {
        let (mut included, mut excluded) = (Vec::new(), Vec::new());
        for text in texts {
            let text = text.as_ref();
            match text.strip_prefix('!') {
                Some(excluding) => excluded.push(Pattern::new(excluding)?),
                None => included.push(Pattern::new(text)?),
            }
        }
        if included.is_empty() {
            return Err(invalid("names no type; `*` catches all"));
        }
        Ok(Self { included, excluded })
    }

    /// Everything.
    pub fn all() -> Self {
        Self { included: vec![Pattern("*".into())], excluded: Vec::new() }
    }

    /// True if some pattern catches the type and no exclusion does.
    pub fn matches(&self, event_type: &EventType) -> bool {
        self.included.iter().any(|pattern| pattern.matches(event_type))
            && !self.excluded.iter().any(|pattern| pattern.matches(event_type))
    }

    /// The patterns, exclusions left out.
    pub fn included(&self) -> &[Pattern] {
        &self.included
    }

    /// The exclusions.
    pub fn excluded(&self) -> &[Pattern] {
        &self.excluded
    }

    /// As texts, exclusions last and with their `!`.
    pub fn to_texts(&self) -> Vec<String> {
        let excluded = self.excluded.iter().map(|pattern| format!("!{pattern}"));
        self.included.iter().map(ToString::to_string).chain(excluded).collect()
    }
}

impl FromStr for Patterns {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text.split_ascii_whitespace())
    }
}

impl Serialize for Patterns {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_texts().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Patterns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(Vec::<String>::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

fn invalid(detail: impl Into<String>) -> Error {
    Error::invalid(ErrorKind::InvalidBody, vec![FieldError::new("/types", "invalid_pattern", detail)])
}
