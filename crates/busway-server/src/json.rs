//! Answers whose payloads go in byte for byte, and so are written as text.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

/// An answer of JSON text.
pub(crate) fn answer(status: StatusCode, text: String) -> Response {
    (status, [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], text).into_response()
}

/// An answer that is this value.
pub(crate) fn answer_value(status: StatusCode, value: &impl Serialize) -> Response {
    let mut text = String::new();
    write_value(&mut text, value);
    answer(status, text)
}

/// A page of a list: `{"items":[…],"next":…}`.
pub(crate) fn page<T>(
    items: impl IntoIterator<Item = T>,
    next: Option<&str>,
    write: impl FnMut(&mut String, T),
) -> Response {
    let mut text = String::with_capacity(4_096);
    let mut object = Object::begin(&mut text);
    write_list(object.slot("items"), items, write);
    object.field("next", &next).end();
    answer(StatusCode::OK, text)
}

/// Writes `[…]`.
pub(crate) fn write_list<T>(
    text: &mut String,
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut String, T),
) {
    text.push('[');
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        write(text, item);
    }
    text.push(']');
}

/// Writes a value that serialises without fail; `null` in place of one that does not.
pub(crate) fn write_value(text: &mut String, value: &(impl Serialize + ?Sized)) {
    match serde_json::to_string(value) {
        Ok(json) => text.push_str(&json),
        Err(_) => text.push_str("null"),
    }
}

/// Writes one `{…}` field by field. Names are written as they are.
pub(crate) struct Object<'t> {
    text: &'t mut String,
    is_empty: bool,
}

impl<'t> Object<'t> {
    pub(crate) fn begin(text: &'t mut String) -> Self {
        text.push('{');
        Self { text, is_empty: true }
    }

    /// A field with a value.
    pub(crate) fn field(&mut self, name: &str, value: &(impl Serialize + ?Sized)) -> &mut Self {
        write_value(self.slot(name), value);
        self
    }

    /// A field whose value the caller writes: exactly one.
    pub(crate) fn slot(&mut self, name: &str) -> &mut String {
        self.text.push_str(if self.is_empty { "\"" } else { ",\"" });
        self.is_empty = false;
        self.text.push_str(name);
        self.text.push_str("\":");
        self.text
    }

    pub(crate) fn end(&mut self) {
        self.text.push('}');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_written_field_by_field() {
        let mut text = String::new();
        let mut object = Object::begin(&mut text);
        object.field("id", "a\"b").field("count", &3).field("none", &None::<u8>);
        object.slot("payload").push_str("{ \"n\": 1.0 }");
        write_list(object.slot("items"), [1, 2], |text, item| write_value(text, &item));
        object.end();
        assert_eq!(text, r#"{"id":"a\"b","count":3,"none":null,"payload":{ "n": 1.0 },"items":[1,2]}"#);
    }
}
