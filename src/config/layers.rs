//! Merges files and environment variables key by key, and records the origin of each value.
//!
//! `config/default.toml` is the schema: a key that is not in it does not exist.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::error::{ConfigError, Origin};
use super::names;

const DEFAULT: &str = include_str!("../../config/default.toml");
const PRODUCTION: &str = include_str!("../../config/production.toml");

/// The environment, which decides the defaults and the checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// A developer's machine.
    Development,
    /// A deployment. The checks refuse unsafe settings.
    Production,
}

impl Environment {
    /// Returns the name in `NIGHTSHIFT_ENV`, which is also the name of the environment's file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Production => "production",
        }
    }

    fn chosen_by(variables: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let named = |name: &str| {
            let Some(value) = variables.get(name).filter(|value| !value.is_empty()) else { return Ok(None) };
            match value.as_str() {
                "development" => Ok(Some(Self::Development)),
                "production" => Ok(Some(Self::Production)),
                _ => Err(ConfigError::Environment(format!(
                    "the environment variable {name} can't be {value:?}; allowed: development, production"
                ))),
            }
        };
        match (named("NIGHTSHIFT_ENV")?, named("APP_ENV")?) {
            (Some(ours), Some(theirs)) if ours != theirs => Err(ConfigError::Environment(format!(
                "NIGHTSHIFT_ENV={} and APP_ENV={} disagree; set one of them, or both to the same",
                ours.as_str(),
                theirs.as_str()
            ))),
            (ours, theirs) => Ok(ours.or(theirs).unwrap_or(Self::Development)),
        }
    }
}

/// Where settings are read from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    pub variables: BTreeMap<String, String>,
    /// The folder that contains `config/`. `None` reads no files.
    pub folder: Option<PathBuf>,
}

impl Sources {
    /// Returns the environment variables and the working directory of this process.
    #[must_use]
    pub fn of_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
        };
        Self { variables: std::env::vars_os().filter_map(text).collect(), folder: std::env::current_dir().ok() }
    }
}

/// A value before it is parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Raw {
    Text(String),
    List(Vec<String>),
}

#[derive(Debug, Clone)]
pub(super) struct Value {
    pub(super) raw: Raw,
    pub(super) origin: Origin,
}

/// The value of each key from the source with the highest precedence.
#[derive(Debug)]
pub(super) struct Layers {
    pub(super) environment: Environment,
    values: BTreeMap<String, Value>,
}

impl Layers {
    pub(super) fn collect(sources: &Sources) -> Result<Self, ConfigError> {
        let environment = Environment::chosen_by(&sources.variables)?;
        let mut layers = Self { environment, values: BTreeMap::new() };
        let built_in = Origin::BuiltIn("default.toml");
        for (key, raw) in keys_of(DEFAULT, &built_in)? {
            layers.values.insert(key, Value { raw, origin: built_in.clone() });
        }
        let folder = sources.folder.as_deref();
        if let Some(text) = folder.map(|folder| present(&folder.join("config/default.toml"))).transpose()?.flatten() {
            layers.put_file(&text, Origin::File("config/default.toml".to_owned()))?;
        }
        let own = format!("config/{}.toml", environment.as_str());
        match folder.map(|folder| present(&folder.join(&own))).transpose()?.flatten() {
            Some(text) => layers.put_file(&text, Origin::File(own))?,
            None if environment == Environment::Production => {
                layers.put_file(PRODUCTION, Origin::BuiltIn("production.toml"))?;
            }
            None => {}
        }
        if let Some(path) = sources.variables.get("NIGHTSHIFT_CONFIG").filter(|path| !path.is_empty()) {
            let resolved = folder.map_or_else(|| PathBuf::from(path), |folder| folder.join(path));
            let text = std::fs::read_to_string(resolved)
                .map_err(|error| ConfigError::File { path: path.clone(), why: error.to_string() })?;
            layers.put_file(&text, Origin::File(path.clone()))?;
        }
        layers.put_variables(&sources.variables)?;
        Ok(layers)
    }

    /// Returns the value of a key of `default.toml`.
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.values.get(key)
    }

    #[cfg(test)]
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    fn put_file(&mut self, text: &str, origin: Origin) -> Result<(), ConfigError> {
        for (key, raw) in keys_of(text, &origin)? {
            self.put(key, raw, origin.clone())?;
        }
        Ok(())
    }

    fn put_variables(&mut self, variables: &BTreeMap<String, String>) -> Result<(), ConfigError> {
        let set = |name: &str| variables.get(name).filter(|value| !value.is_empty()).cloned();
        for (name, key) in names::PLAIN {
            if let Some(value) = set(name) {
                self.put((*key).to_owned(), Raw::Text(value), Origin::Variable((*name).to_owned()))?;
            }
        }
        for name in variables.keys() {
            let Some(key) = names::prefixed_key(name) else { continue };
            let value = set(name).map(Raw::Text);
            // An empty variable sets nothing, but its name must exist, so that a misspelt one is an error.
            let raw = value.or_else(|| self.values.get(&key).map(|standing| standing.raw.clone()));
            self.put(key, raw.unwrap_or(Raw::Text(String::new())), Origin::Variable(name.clone()))?;
        }
        Ok(())
    }

    fn put(&mut self, key: String, raw: Raw, origin: Origin) -> Result<(), ConfigError> {
        match self.values.get_mut(&key) {
            Some(standing) => {
                *standing = Value { raw, origin };
                Ok(())
            }
            None => Err(ConfigError::UnknownKey { allowed: self.allowed_beside(&key), key, origin }),
        }
    }

    /// Returns the keys of the same section, or the names of the sections, for the error message.
    fn allowed_beside(&self, key: &str) -> String {
        let section = key.rsplit_once('.').map_or("", |(section, _)| section);
        let inside = |known: &&str| known.strip_prefix(section).is_some_and(|rest| rest.starts_with('.'));
        let siblings: Vec<_> = self.values.keys().map(String::as_str).filter(inside).collect();
        if !siblings.is_empty() {
            return format!("[{section}] has {}", siblings.join(", "));
        }
        let mut sections: Vec<_> = self.values.keys().filter_map(|key| key.split('.').next()).collect();
        sections.dedup();
        format!("the sections are {}", sections.join(", "))
    }
}

/// Returns the text of the file, or `None` if there is no such file.
fn present(path: &Path) -> Result<Option<String>, ConfigError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ConfigError::File { path: path.display().to_string(), why: error.to_string() }),
    }
}

/// Returns all keys of a TOML text, with sections joined by dots.
fn keys_of(text: &str, origin: &Origin) -> Result<Vec<(String, Raw)>, ConfigError> {
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        // The parser's error would quote the line, which may contain a secret. Only its message is used.
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        ConfigError::Syntax { origin: origin.clone(), why: format!("line {line}: {}", error.message()) }
    })?;
    let mut keys = Vec::new();
    flatten(&table, "", &mut keys);
    Ok(keys)
}

fn flatten(table: &toml::Table, section: &str, keys: &mut Vec<(String, Raw)>) {
    for (name, value) in table {
        let key = if section.is_empty() { name.clone() } else { format!("{section}.{name}") };
        match value {
            toml::Value::Table(inner) => flatten(inner, &key, keys),
            toml::Value::Array(items) => keys.push((key, Raw::List(items.iter().map(text_of).collect()))),
            scalar => keys.push((key, Raw::Text(text_of(scalar)))),
        }
    }
}

fn text_of(value: &toml::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
