use busway_core::{Filter, Pattern};

/// What of a filter the server sees to, so that what is not wanted is not sent. It may let more through.
#[derive(Debug)]
pub(super) struct Sieve {
    types: Vec<String>,
    prefixes: Vec<String>,
    shapes: Vec<String>,
    tenant: Option<String>,
    except: Vec<String>,
}

impl Sieve {
    pub(super) fn of(filter: &Filter) -> Self {
        let mut sieve = Self {
            types: Vec::new(),
            prefixes: Vec::new(),
            shapes: Vec::new(),
            tenant: filter.tenant.as_ref().map(ToString::to_string),
            except: filter.except.iter().map(ToString::to_string).collect(),
        };
        let patterns = filter.types.as_ref().map(|types| types.included()).unwrap_or_default();
        if !patterns.iter().any(|pattern| pattern.as_str() == "*") {
            patterns.iter().for_each(|pattern| sieve.add(pattern));
        }
        sieve
    }

    fn add(&mut self, pattern: &Pattern) {
        let text = pattern.as_str();
        match text.strip_suffix('*') {
            None if pattern.is_exact() => self.types.push(text.into()),
            Some(prefix) if !prefix.contains('*') => self.prefixes.push(prefix.into()),
            _ => self.shapes.push(shape(text)),
        }
    }

    fn chooses_types(&self) -> bool {
        !(self.types.is_empty() && self.prefixes.is_empty() && self.shapes.is_empty())
    }

    /// True if it lets everything through.
    pub(super) fn is_open(&self) -> bool {
        !self.chooses_types() && self.tenant.is_none() && self.except.is_empty()
    }

    /// Types that are wanted as they stand; nothing if every type is.
    pub(super) fn types(&self) -> Option<&Vec<String>> {
        self.chooses_types().then_some(&self.types)
    }

    /// What wanted types may begin with.
    pub(super) fn prefixes(&self) -> Option<&Vec<String>> {
        self.chooses_types().then_some(&self.prefixes)
    }

    /// Regular expressions of wanted types.
    pub(super) fn shapes(&self) -> Option<&Vec<String>> {
        self.chooses_types().then_some(&self.shapes)
    }

    /// The one tenant that is wanted.
    pub(super) fn tenant(&self) -> Option<&str> {
        self.tenant.as_deref()
    }

    /// Tenants that are not wanted.
    pub(super) fn except(&self) -> Option<&Vec<String>> {
        (!self.except.is_empty()).then_some(&self.except)
    }
}

/// A pattern as a regular expression; what it has beside `*` and `.` stands for itself.
fn shape(pattern: &str) -> String {
    let (body, rest) = match pattern.strip_suffix(".*") {
        Some(body) => (body, "\\..+"),
        None => (pattern, ""),
    };
    let segments = body.split('.').map(|segment| if segment == "*" { "[^.]+" } else { segment });
    format!("^{}{rest}$", segments.collect::<Vec<_>>().join("\\."))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use busway_core::Patterns;

    use super::*;

    fn sieve(patterns: &[&str]) -> Sieve {
        Sieve::of(&Filter { types: Some(Arc::new(Patterns::parse(patterns).unwrap())), ..Filter::default() })
    }

    #[test]
    fn each_pattern_becomes_the_cheapest_test_that_catches_it() {
        let sieve = sieve(&["a.b", "shift.*", "*.made", "a.*.c.*", "!a.b"]);
        assert_eq!(sieve.types, ["a.b"]);
        assert_eq!(sieve.prefixes, ["shift."]);
        assert_eq!(sieve.shapes, ["^[^.]+\\.made$", "^a\\.[^.]+\\.c\\..+$"]);
    }

    #[test]
    fn who_wants_everything_is_given_everything() {
        assert!(sieve(&["shift.*", "*"]).is_open());
        assert!(sieve(&["*", "!shift.*"]).is_open());
        assert!(!sieve(&["*.*"]).is_open());
    }
}
