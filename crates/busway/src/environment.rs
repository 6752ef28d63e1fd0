use std::{collections::HashMap, path::Path};

use busway_core::{Error, ErrorKind};

/// The variables that say which bus is meant.
#[derive(Debug, Default)]
pub(crate) struct Environment {
    variables: HashMap<&'static str, String>,
    program: Option<String>,
}

const NAMES: [&str; 5] = ["EVENT_BUS_TYPE", "DATABASE_URL", "BUSWAY_BACKEND_URL", "BUSWAY_DATA", "BUSWAY_APP"];

impl Environment {
    pub(crate) fn of_process() -> Self {
        let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty()).map(|value| (name, value));
        let program = std::env::current_exe().ok();
        Self {
            variables: NAMES.into_iter().filter_map(set).collect(),
            program: program.as_deref().and_then(Path::file_stem).map(|stem| stem.to_string_lossy().into_owned()),
        }
    }

    fn get(&self, name: &'static str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// The application's name.
    pub(crate) fn app(&self) -> Result<String, Error> {
        if let Some(named) = self.get("BUSWAY_APP") {
            return Ok(named.to_owned());
        }
        let program = self.program.as_deref().unwrap_or("app");
        Ok(program.chars().map(|c| if c.is_ascii_alphanumeric() || "._:-".contains(c) { c } else { '-' }).collect())
    }

    /// The address of the store.
    pub(crate) fn url(&self) -> Result<String, Error> {
        let address = self.get("BUSWAY_BACKEND_URL").or(self.get("DATABASE_URL"));
        match (self.get("EVENT_BUS_TYPE"), address) {
            (Some("in-memory"), _) => Ok("memory:".into()),
            (Some("sqlite"), Some(address)) if address.starts_with("sqlite:") => Ok(address.into()),
            (Some("sqlite"), _) => Ok(self.file()),
            (Some(other), _) => Err(not_here("EVENT_BUS_TYPE", other)),
            (None, Some(address)) => Ok(address.into()),
            (None, None) => Ok(self.file()),
        }
    }

    fn file(&self) -> String {
        format!("sqlite:{}/busway.db", self.get("BUSWAY_DATA").unwrap_or("./busway-data"))
    }
}

fn not_here(variable: &'static str, value: &str) -> Error {
    let detail = format!("`{value}` is none of the backends of this build: in-memory{}", if cfg!(feature = "sqlite") { ", sqlite" } else { "" });
    Error::new(ErrorKind::InvalidConfiguration, detail).with_context("variable", variable)
}
