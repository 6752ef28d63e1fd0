use std::io::{IsTerminal, Write, stdout};

use serde::Serialize;
use serde_json::value::RawValue;

use crate::failure::Failure;

/// Where data goes, and in which form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    /// One JSON object a line instead of tables and sentences.
    pub(crate) json: bool,
}

impl Output {
    /// Writes one line of data.
    pub(crate) fn line(self, text: impl std::fmt::Display) -> Result<(), Failure> {
        let mut out = stdout().lock();
        writeln!(out, "{text}")?;
        Ok(out.flush()?)
    }

    /// Writes JSON as it came, on one line.
    pub(crate) fn raw(self, json: &RawValue) -> Result<(), Failure> {
        self.line(compact(json.get()))
    }

    /// Writes a value as JSON on one line.
    pub(crate) fn value(self, value: &impl Serialize) -> Result<(), Failure> {
        self.line(serde_json::to_string(value).map_err(std::io::Error::from)?)
    }

    /// True if a person sees the data.
    pub(crate) fn is_terminal(self) -> bool {
        stdout().is_terminal()
    }

    /// How many characters a line of the terminal takes; `None` if a line may be as long as it is.
    pub(crate) fn width(self) -> Option<usize> {
        comfy_table::Table::new().width().map(usize::from)
    }
}

/// The same JSON without the white space between its tokens; names, order and numbers stay as they are.
pub(crate) fn compact(json: &str) -> String {
    let (mut quoted, mut escaped) = (false, false);
    json.chars()
        .filter(|&c| {
            let kept = quoted || !c.is_ascii_whitespace();
            if escaped {
                escaped = false;
            } else {
                match c {
                    '"' => quoted = !quoted,
                    '\\' => escaped = quoted,
                    _ => {}
                }
            }
            kept
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::compact;

    #[test]
    fn compacting_takes_white_space_between_tokens_only() {
        let text = "{ \"a b\" :\n [1.50, \"x \\\" y\"],\t\"c\": \"\\\\\" }";
        assert_eq!(compact(text), r#"{"a b":[1.50,"x \" y"],"c":"\\"}"#);
    }
}
