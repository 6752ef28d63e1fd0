use std::collections::BTreeMap;

use toml::{Table, Value};

use super::{
    Config, Source,
    backend::{check_name, name_of_url},
    source::{value_like, variable},
};
use crate::{failure::Failure, nearest::did_you_mean};

/// The commented file of all keys.
pub(crate) const DEFAULTS: &str = include_str!("default.toml");

/// Variables that other programs know too, and the keys that they stand for.
const SHARED: [(&str, &str); 1] = [("backend.type", "EVENT_BUS_TYPE")];

/// The configuration: the defaults, overridden by file, variables and flags.
pub(crate) fn load(source: &Source) -> Result<Config, Failure> {
    load_with(source, variable)
}

fn load_with(source: &Source, variable: impl Fn(&str) -> Option<String>) -> Result<Config, Failure> {
    let mut layers = Layers::defaults()?;
    if let Some((table, name)) = source.read()? {
        layers.lay_file(table, &name)?;
    }
    layers.lay_variables(&variable)?;
    for (key, value, flag) in &source.flags {
        layers.lay_text(key, value.clone(), flag)?;
    }
    layers.choose_backend(variable("DATABASE_URL"))?;
    layers.finish()
}

/// The values so far, and where those that are no defaults were written.
struct Layers {
    values: Table,
    origins: BTreeMap<String, String>,
    keys: Vec<String>,
}

impl Layers {
    fn defaults() -> Result<Self, Failure> {
        let values: Table =
            DEFAULTS.parse().map_err(|error| Failure::configuration(format!("the defaults: {error}")))?;
        let keys = values.iter().flat_map(|(section, content)| {
            content.as_table().into_iter().flat_map(Table::keys).map(move |key| format!("{section}.{key}"))
        });
        Ok(Self { keys: keys.collect(), origins: BTreeMap::new(), values })
    }

    fn lay_file(&mut self, file: Table, name: &str) -> Result<(), Failure> {
        for (section, content) in file {
            if !self.values.contains_key(&section) {
                let near = did_you_mean(&section, self.values.keys().map(String::as_str));
                return Err(Failure::configuration(format!("`[{section}]` in {name} is no section{near}")));
            }
            let Value::Table(content) = content else {
                return Err(Failure::configuration(format!("`{section}` in {name} must be a section: [{section}]")));
            };
            for (key, value) in content {
                let key = format!("{section}.{key}");
                if !self.keys.contains(&key) {
                    let near = did_you_mean(&key, self.keys.iter().map(String::as_str));
                    return Err(Failure::configuration(format!("`{key}` in {name} is no key{near}")));
                }
                self.lay(&key, value, name);
            }
        }
        Ok(())
    }

    fn lay_variables(&mut self, variable: &impl Fn(&str) -> Option<String>) -> Result<(), Failure> {
        for key in self.keys.clone() {
            let own = format!("BUSWAY_{}", key.replace('.', "_").to_ascii_uppercase());
            let shared = SHARED.iter().filter(|(shared, _)| *shared == key).map(|(_, name)| (*name).to_owned());
            if let Some((name, value)) =
                std::iter::once(own).chain(shared).find_map(|name| Some((name.clone(), variable(&name)?)))
            {
                self.lay_text(&key, value, &name)?;
            }
        }
        Ok(())
    }

    fn lay_text(&mut self, key: &str, text: String, origin: &str) -> Result<(), Failure> {
        let value = value_like(self.value(key).unwrap_or(&Value::Boolean(false)), text);
        self.lay(key, value.map_err(|why| Failure::configuration(format!("`{key}` ({origin}): {why}")))?, origin);
        Ok(())
    }

    fn lay(&mut self, key: &str, value: Value, origin: &str) {
        if let Some((section, name)) = key.split_once('.')
            && let Some(Value::Table(section)) = self.values.get_mut(section)
        {
            section.insert(name.into(), value);
            self.origins.insert(key.into(), origin.into());
        }
    }

    fn value(&self, key: &str) -> Option<&Value> {
        let (section, name) = key.split_once('.')?;
        self.values.get(section)?.get(name)
    }

    fn text(&self, key: &str) -> String {
        self.value(key).and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    fn origin(&self, key: &str) -> &str {
        self.origins.get(key).map_or("default", String::as_str)
    }

    /// A store's address names its backend, and `DATABASE_URL` counts where no other address or backend is named.
    fn choose_backend(&mut self, database_url: Option<String>) -> Result<(), Failure> {
        let named = self.origins.contains_key("backend.type").then(|| self.text("backend.type"));
        if let Some(url) = database_url
            && self.text("backend.url").is_empty()
            && name_of_url(&url).is_some_and(|meant| named.as_deref().is_none_or(|named| named == meant))
        {
            self.lay("backend.url", Value::String(url), "DATABASE_URL");
        }
        let (url, origin) = (self.text("backend.url"), self.origin("backend.url").to_owned());
        if !url.is_empty() {
            let Some(meant) = name_of_url(&url) else {
                let headline =
                    format!("`backend.url` ({origin}) is no store's address; one looks like sqlite:busway.db");
                return Err(Failure::configuration(headline));
            };
            match named {
                None => self.lay("backend.type", Value::String(meant.into()), &origin),
                Some(named) if named == meant => {}
                Some(named) => {
                    let why = format!(
                        "`backend.url` ({origin}) is for {meant}, `backend.type` ({}) is {named}",
                        self.origin("backend.type")
                    );
                    return Err(Failure::configuration(why));
                }
            }
        }
        match self.value("backend.type") {
            Some(Value::String(name)) => check_name(name, self.origin("backend.type")),
            _ => Ok(()),
        }
    }

    fn finish(self) -> Result<Config, Failure> {
        let Self { values, origins, .. } = self;
        serde_path_to_error::deserialize(Value::Table(values)).map_err(|error| {
            let key = error.path().to_string();
            let origin = origins
                .iter()
                .find(|(known, _)| key.starts_with(*known))
                .map_or("default", |(_, origin)| origin.as_str());
            Failure::configuration(format!("`{key}` ({origin}): {}", error.inner().to_string().trim()))
        })
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
