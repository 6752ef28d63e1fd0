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
            (Some("postgres"), Some(address)) if address.starts_with("postgres") => Ok(address.into()),
            (Some("postgres"), _) => Err(no_address()),
            (Some(other), _) => Err(not_here("EVENT_BUS_TYPE", other)),
            (None, Some(address)) => Ok(address.into()),
            (None, None) => Ok(self.file()),
        }
    }

    fn file(&self) -> String {
        format!("sqlite:{}/busway.db", self.get("BUSWAY_DATA").unwrap_or("./busway-data"))
    }
}

fn no_address() -> Error {
    let detail = "EVENT_BUS_TYPE is `postgres`, and DATABASE_URL names no such database; it looks like \
                  postgres://user:password@host:5432/database";
    Error::new(ErrorKind::InvalidConfiguration, detail)
}

fn not_here(variable: &'static str, value: &str) -> Error {
    let detail = format!("{variable} is `{value}`, and there are the backends in-memory, sqlite and postgres");
    Error::new(ErrorKind::InvalidConfiguration, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&'static str, &str)], program: &str) -> Environment {
        let variables = variables.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Environment { variables, program: Some(program.into()) }
    }

    #[test]
    fn the_variables_name_the_store() {
        for (variables, url) in [
            (&[][..], "sqlite:./busway-data/busway.db"),
            (&[("BUSWAY_DATA", "/var/lib/bus")], "sqlite:/var/lib/bus/busway.db"),
            (&[("EVENT_BUS_TYPE", "in-memory"), ("DATABASE_URL", "sqlite:a.db")], "memory:"),
            (&[("EVENT_BUS_TYPE", "sqlite"), ("DATABASE_URL", "sqlite:a.db")], "sqlite:a.db"),
            (&[("EVENT_BUS_TYPE", "sqlite"), ("DATABASE_URL", "postgres://db")], "sqlite:./busway-data/busway.db"),
            (&[("DATABASE_URL", "postgres://db")], "postgres://db"),
            (&[("EVENT_BUS_TYPE", "postgres"), ("DATABASE_URL", "postgresql://db")], "postgresql://db"),
            (&[("BUSWAY_BACKEND_URL", "sqlite:b.db"), ("DATABASE_URL", "sqlite:a.db")], "sqlite:b.db"),
        ] {
            assert_eq!(environment(variables, "app").url().unwrap(), url, "{variables:?}");
        }
    }

    #[test]
    fn postgres_needs_an_address() {
        for variables in
            [&[("EVENT_BUS_TYPE", "postgres")][..], &[("EVENT_BUS_TYPE", "postgres"), ("DATABASE_URL", "sqlite:a.db")]]
        {
            let error = environment(variables, "app").url().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
            assert!(error.detail().contains("DATABASE_URL"), "{error}");
        }
    }

    #[test]
    fn a_backend_that_is_none_is_refused_with_those_there_are() {
        let error = environment(&[("EVENT_BUS_TYPE", "carrier-pigeon")], "app").url().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
        assert!(error.detail().contains("carrier-pigeon") && error.detail().contains("sqlite"));
    }

    #[test]
    fn the_application_is_named_after_its_program_unless_it_says_otherwise() {
        assert_eq!(environment(&[], "help desk").app().unwrap(), "help-desk");
        assert_eq!(environment(&[("BUSWAY_APP", "desk")], "help desk").app().unwrap(), "desk");
    }
}
