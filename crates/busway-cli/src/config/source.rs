use std::{
    env,
    path::{Path, PathBuf},
};

use toml::{Table, Value};

use crate::failure::Failure;

/// The file that is read where none is named.
const FILE: &str = "busway.toml";

/// Where configuration comes from, beside the defaults.
#[derive(Clone, Debug, Default)]
pub(crate) struct Source {
    /// A file that must be there; else `busway.toml` of the working folder, if it is there.
    pub(crate) file: Option<PathBuf>,
    /// Values given by flags: key, value, flag.
    pub(crate) flags: Vec<(&'static str, String, &'static str)>,
}

impl Source {
    /// The file's content and its name.
    pub(super) fn read(&self) -> Result<Option<(Table, String)>, Failure> {
        let path = self.file.as_deref().unwrap_or(Path::new(FILE));
        let name = path.display().to_string();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && self.file.is_none() => return Ok(None),
            Err(error) => return Err(Failure::configuration(format!("{name} cannot be read: {error}"))),
        };
        match text.parse::<Table>() {
            Ok(table) => Ok(Some((table, name))),
            Err(error) => {
                let failure = Failure::configuration(format!("{name} is not TOML"));
                Err(failure.lines(error.to_string().lines()))
            }
        }
    }
}

/// The value of a variable; an empty one counts as not set.
pub(super) fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// A variable's or a flag's text as a value of the kind that the default has.
pub(super) fn value_like(default: &Value, text: String) -> Result<Value, String> {
    match default {
        Value::Integer(_) => {
            text.trim().parse().map(Value::Integer).map_err(|_| format!("{text:?} is no whole number"))
        }
        Value::Array(_) => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Ok(Value::Array(items.map(|item| Value::String(item.into())).collect()))
        }
        _ => Ok(Value::String(text)),
    }
}
