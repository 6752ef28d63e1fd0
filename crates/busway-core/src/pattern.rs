use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{Error, ErrorKind, EventType, FieldError};

/// Which types: segments joined by `.`, where `*` stands for one segment, and for one or more at the end.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pattern(Box<str>);

impl Pattern {
    /// Checked; the error names the field.
    pub fn new(text: &str) -> Result<Self, Error> {
        Self::checked(text).map_err(|detail| invalid(vec![FieldError::new("/types", CODE, detail)]))
    }

    fn checked(text: &str) -> Result<Self, String> {
        if text.len() > 200 {
            return Err(format!("has {} bytes; at most 200 are allowed", text.len()));
        }
        let plain = text.split('.').map(|segment| if segment == "*" { "x" } else { segment });
        match EventType::is_valid(&plain.collect::<Vec<_>>().join(".")) {
            true => Ok(Self(text.into())),
            false => Err(format!(
                "{text:?} is no pattern; segments of letters, digits, `_` and `-` joined by `.`, each of which may be `*`"
            )),
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
    /// From texts such as `shift.*` and `!shift.viewed`; at least one must not be an exclusion. The error names
    /// every text at fault by its index.
    pub fn parse<S: AsRef<str>>(texts: impl IntoIterator<Item = S>) -> Result<Self, Error> {
        let (mut included, mut excluded, mut faults) = (Vec::new(), Vec::new(), Vec::new());
        for (index, text) in texts.into_iter().enumerate() {
            let text = text.as_ref();
            let (kind, pattern) = match text.strip_prefix('!') {
                Some(pattern) => (&mut excluded, pattern),
                None => (&mut included, text),
            };
            match Pattern::checked(pattern) {
                Ok(pattern) => kind.push(pattern),
                Err(detail) => faults.push(FieldError::new(format!("/types/{index}"), CODE, detail)),
            }
        }
        if faults.is_empty() && included.is_empty() {
            faults.push(FieldError::new("/types", CODE, "names no type; `*` catches all"));
        }
        if faults.is_empty() { Ok(Self { included, excluded }) } else { Err(invalid(faults)) }
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

    /// True if both catch the same by the same patterns, in whatever order they are named.
    pub fn same(&self, other: &Self) -> bool {
        let sorted = |patterns: &[Pattern]| patterns.iter().cloned().collect::<BTreeSet<_>>();
        sorted(&self.included) == sorted(&other.included) && sorted(&self.excluded) == sorted(&other.excluded)
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

const CODE: &str = "invalid_pattern";

fn invalid(faults: Vec<FieldError>) -> Error {
    Error::invalid(ErrorKind::InvalidBody, faults)
}

#[cfg(test)]
mod tests;
