use std::{borrow::Cow, fmt};

use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::{Deserializer, Result, value::RawValue};

/// Gives name and value of each member of a JSON object, both as they are written, the name with its quotes.
///
/// Fails where the text is no JSON or no object; the members before the fault have been given by then.
pub(crate) fn each_member<'a>(text: &'a str, take: impl FnMut(&'a str, &'a str)) -> Result<()> {
    let mut deserializer = Deserializer::from_str(text);
    deserializer.deserialize_map(Members(take))?;
    deserializer.end()
}

struct Members<F>(F);

impl<'a, F: FnMut(&'a str, &'a str)> Visitor<'a> for Members<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(mut self, mut map: A) -> std::result::Result<(), A::Error> {
        while let Some((name, value)) = map.next_entry::<&RawValue, &RawValue>()? {
            self.0(name.get(), value.get());
        }
        Ok(())
    }
}

/// The string that a JSON string says; `None` if it is not Unicode: half of a surrogate pair.
pub(crate) fn string(json: &str) -> Option<Cow<'_, str>> {
    match json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(text) if !text.contains('\\') => Some(Cow::Borrowed(text)),
        _ => serde_json::from_str(json).ok().map(Cow::Owned),
    }
}

/// What kind of value a JSON text is.
pub(crate) fn kind(json: &str) -> &'static str {
    match json.as_bytes().first() {
        Some(b'"') => "a string",
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}

/// The text without the spaces that JSON allows around it.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\n', '\r'])
}

/// Fails where the text is no JSON. However deep it nests, the stack does not grow.
pub(crate) fn is_json(text: &str) -> Result<()> {
    serde_json::from_str::<&RawValue>(text).map(|_| ())
}
