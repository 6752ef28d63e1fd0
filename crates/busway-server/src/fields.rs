//! Reads the JSON objects that callers send, field by field, and names each fault by its pointer.

use std::{fmt, ops::RangeInclusive};

use busway_core::{Error, ErrorKind, FieldError, Timestamp};
use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;

use crate::query::Explain;

/// What is wrong with a value; the pointers are counted from it.
pub(crate) type Faults = Vec<FieldError>;

/// What a field holds, or what is wrong with it.
pub(crate) type Read<T> = Result<T, Faults>;

/// Reads a whole body: `BadRequest` if it is not JSON, `InvalidBody` with every fault.
pub(crate) fn read_body<'a, T>(text: &'a str, read: impl FnOnce(&'a RawValue) -> Read<T>) -> Result<T, Error> {
    let raw: &RawValue = match serde_json::from_str(text) {
        Ok(raw) => raw,
        Err(_) if text.trim().is_empty() => {
            return Err(Error::new(ErrorKind::BadRequest, "the body is empty; it must be JSON"));
        }
        Err(error) => return Err(Error::new(ErrorKind::BadRequest, format!("the body is not JSON: {error}"))),
    };
    read(raw).map_err(|faults| Error::invalid(ErrorKind::InvalidBody, faults))
}

/// The fields of one object.
pub(crate) struct Fields<'a> {
    items: Vec<(String, &'a RawValue)>,
    faults: Faults,
}

impl<'a> Fields<'a> {
    pub(crate) fn of(raw: &'a RawValue) -> Read<Self> {
        if !raw.get().starts_with('{') {
            return Err(fault("wrong_type", "must be an object"));
        }
        let Items(items) = serde_json::from_str(raw.get()).map_err(|error| unreadable(&error))?;
        Ok(Self { items, faults: Vec::new() })
    }

    /// A field that may be missing.
    pub(crate) fn optional<T>(&mut self, name: &'static str, read: impl FnOnce(&'a RawValue) -> Read<T>) -> Option<T> {
        let mut found = self.items.extract_if(.., |(given, _)| given == name);
        let (first, repeated) = (found.next(), found.next().is_some());
        drop(found);
        if repeated {
            self.faults.push(FieldError::new(format!("/{name}"), "repeated_name", "is there more than once"));
        }
        match read(first?.1) {
            Ok(value) => Some(value),
            Err(faults) => {
                self.faults.extend(below(name, faults));
                None
            }
        }
    }

    /// A field that must be there.
    pub(crate) fn required<T>(&mut self, name: &'static str, read: impl FnOnce(&'a RawValue) -> Read<T>) -> Option<T> {
        if !self.items.iter().any(|(given, _)| given == name) {
            self.faults.push(FieldError::new(format!("/{name}"), "required", "is missing"));
        }
        self.optional(name, read)
    }

    /// `value`, unless something was wrong; a field that nobody read is.
    pub(crate) fn finish<T>(mut self, value: Option<T>) -> Read<T> {
        for (name, _) in &self.items {
            self.faults.push(FieldError::new(
                format!("/{}", escaped(name)),
                "unknown_field",
                "is no field of this body",
            ));
        }
        match value {
            Some(value) if self.faults.is_empty() => Ok(value),
            _ => Err(self.faults),
        }
    }
}

/// A string.
pub(crate) fn text(raw: &RawValue) -> Read<String> {
    if !raw.get().starts_with('"') {
        return Err(fault("wrong_type", "must be a string"));
    }
    serde_json::from_str(raw.get()).map_err(|error| unreadable(&error))
}

/// A string in the form that `parse` takes.
pub(crate) fn parsed<T, E: Explain>(parse: impl FnOnce(&str) -> Result<T, E>) -> impl FnOnce(&RawValue) -> Read<T> {
    move |raw| parse(&text(raw)?).map_err(|error| fault("invalid_value", error.explain()))
}

/// One of these strings.
pub(crate) fn choice<T: Copy>(choices: &'static [(&'static str, T)]) -> impl Fn(&RawValue) -> Read<T> {
    move |raw| {
        let given = text(raw)?;
        let names = || choices.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        match choices.iter().find(|(name, _)| *name == given) {
            Some((_, value)) => Ok(*value),
            None => Err(fault("invalid_value", format!("{given:?} is none of {}", names()))),
        }
    }
}

/// A whole number within a range.
pub(crate) fn whole(range: RangeInclusive<u64>) -> impl Fn(&RawValue) -> Read<u64> {
    move |raw| {
        let (given, least, most) = (raw.get(), *range.start(), *range.end());
        match (given.parse::<u64>(), given.parse::<f64>()) {
            (Ok(number), _) if range.contains(&number) => Ok(number),
            (Ok(number), _) if number < least => Err(fault("out_of_range", format!("{given} is below {least}"))),
            (Ok(_), _) => Err(fault("out_of_range", format!("{given} is above {most}"))),
            (_, Ok(number)) if number < 0.0 => Err(fault("out_of_range", format!("{given} is below {least}"))),
            (_, Ok(number)) if number > most as f64 => Err(fault("out_of_range", format!("{given} is above {most}"))),
            _ => Err(fault("wrong_type", "must be a whole number")),
        }
    }
}

/// A number from 0 to 1.
pub(crate) fn share(raw: &RawValue) -> Read<f64> {
    match raw.get().parse::<f64>() {
        Ok(number) if (0.0..=1.0).contains(&number) => Ok(number),
        Ok(_) => Err(fault("out_of_range", format!("{} is outside 0 to 1", raw.get()))),
        Err(_) => Err(fault("wrong_type", "must be a number")),
    }
}

/// A time.
pub(crate) fn time(raw: &RawValue) -> Read<Timestamp> {
    parsed(str::parse::<Timestamp>)(raw)
}

/// A value or `null`.
pub(crate) fn or_null<'a, T>(
    read: impl FnOnce(&'a RawValue) -> Read<T>,
) -> impl FnOnce(&'a RawValue) -> Read<Option<T>> {
    move |raw| if raw.get() == "null" { Ok(None) } else { read(raw).map(Some) }
}

/// An array of such values.
pub(crate) fn list<'a, T>(read: impl Fn(&'a RawValue) -> Read<T>) -> impl FnOnce(&'a RawValue) -> Read<Vec<T>> {
    move |raw| {
        if !raw.get().starts_with('[') {
            return Err(fault("wrong_type", "must be an array"));
        }
        let items: Vec<&RawValue> = serde_json::from_str(raw.get()).map_err(|error| unreadable(&error))?;
        let (mut values, mut faults) = (Vec::with_capacity(items.len()), Vec::new());
        for (index, item) in items.into_iter().enumerate() {
            match read(item) {
                Ok(value) => values.push(value),
                Err(more) => faults.extend(below(&index.to_string(), more)),
            }
        }
        if faults.is_empty() { Ok(values) } else { Err(faults) }
    }
}

/// One fault of the value itself.
pub(crate) fn fault(code: &'static str, detail: impl Into<String>) -> Faults {
    vec![FieldError::new("", code, detail)]
}

/// The text of a value may still be what no string can hold: `"\ud800"`.
fn unreadable(error: &serde_json::Error) -> Faults {
    fault("not_unicode", format!("cannot be read: {error}"))
}

fn below(name: &str, faults: Faults) -> impl Iterator<Item = FieldError> {
    let name = escaped(name);
    faults.into_iter().map(move |fault| FieldError { pointer: format!("/{name}{}", fault.pointer), ..fault })
}

/// A name as it stands in a JSON pointer.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// An object's fields in their order, repeated ones too.
struct Items<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Items<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = map.next_entry()? {
                    items.push(item);
                }
                Ok(items)
            }
        }

        deserializer.deserialize_map(Visitor).map(Items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Pair {
        count: u64,
        names: Vec<String>,
    }

    fn pair(raw: &RawValue) -> Read<Pair> {
        let mut fields = Fields::of(raw)?;
        let count = fields.required("count", whole(1..=10));
        let names = fields.optional("names", list(text)).unwrap_or_default();
        fields.finish(count.map(|count| Pair { count, names }))
    }

    fn faults(body: &str) -> Vec<String> {
        let error = read_body(body, pair).unwrap_err();
        error.fields().iter().map(|fault| format!("{} {}", fault.pointer, fault.code)).collect()
    }

    #[test]
    fn an_object_is_read() {
        let read = read_body(r#" {"names":["a","\u0062"],"count":3} "#, pair).unwrap();
        assert_eq!(read, Pair { count: 3, names: vec!["a".into(), "b".into()] });
    }

    #[test]
    fn each_fault_has_its_place() {
        assert_eq!(faults("[]"), [" wrong_type"]);
        assert_eq!(faults("{}"), ["/count required"]);
        assert_eq!(
            faults(r#"{"count":0,"names":["a",7,"\ud800"]}"#),
            ["/count out_of_range", "/names/1 wrong_type", "/names/2 not_unicode"]
        );
        assert_eq!(faults(r#"{"count":1,"a/b~c":1}"#), ["/a~1b~0c unknown_field"]);
        assert_eq!(faults(r#"{"count":1,"count":2}"#), ["/count repeated_name"]);
        for (count, code) in [
            ("-1", "out_of_range"),
            ("11", "out_of_range"),
            ("1e99", "out_of_range"),
            ("1.5", "wrong_type"),
            ("\"1\"", "wrong_type"),
            ("null", "wrong_type"),
        ] {
            assert_eq!(faults(&format!(r#"{{"count":{count}}}"#)), [format!("/count {code}")], "{count}");
        }
    }

    #[test]
    fn what_is_not_json_cannot_be_read_at_all() {
        for body in ["", " ", "{", "{} {}", "nil", "{'a':1}"] {
            assert_eq!(read_body(body, pair).unwrap_err().kind(), ErrorKind::BadRequest, "{body}");
        }
    }

    #[test]
    fn deep_nesting_is_refused_and_kills_nobody() {
        let deep = format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
        assert_eq!(read_body(&deep, pair).unwrap_err().kind(), ErrorKind::InvalidBody);
    }
}
