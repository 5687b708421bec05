//! Parses values. An error states what is allowed.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use secrecy::SecretString;

use super::error::ConfigError;
use super::layers::{Layers, Raw, Value};

/// Reads values and records their keys, so that a test can find keys that nothing reads.
pub(super) struct Reader<'a> {
    layers: &'a Layers,
    read: BTreeSet<&'static str>,
}

type Read<T> = Result<T, ConfigError>;

impl<'a> Reader<'a> {
    pub(super) fn new(layers: &'a Layers) -> Self {
        Self { layers, read: BTreeSet::new() }
    }

    #[cfg(test)]
    pub(super) fn keys_read(&self) -> &BTreeSet<&'static str> {
        &self.read
    }

    /// Reads a text that must not be empty.
    pub(super) fn text(&mut self, key: &'static str) -> Read<String> {
        self.parse(key, "a text", |text| (!text.is_empty()).then(|| text.to_owned()))
    }

    /// Reads a text. `None` if it is empty.
    pub(super) fn optional(&mut self, key: &'static str) -> Read<Option<String>> {
        self.parse(key, "a text", |text| Some((!text.is_empty()).then(|| text.to_owned())))
    }

    /// Reads `true` or `false`.
    pub(super) fn flag(&mut self, key: &'static str) -> Read<bool> {
        self.parse(key, "true, false", |text| text.parse().ok())
    }

    /// Reads an integer within `range`.
    pub(super) fn number<N>(&mut self, key: &'static str, range: RangeInclusive<N>) -> Read<N>
    where
        N: std::str::FromStr + PartialOrd + std::fmt::Display,
    {
        let allowed = format!("a whole number from {} to {}", range.start(), range.end());
        self.parse(key, &allowed, |text| text.parse().ok().filter(|number| range.contains(number)))
    }

    /// Reads a duration in milliseconds within `range`.
    pub(super) fn millis(&mut self, key: &'static str, range: RangeInclusive<u64>) -> Read<Duration> {
        self.number(key, range).map(Duration::from_millis)
    }

    /// Reads one of several words.
    pub(super) fn choice<T: Clone>(&mut self, key: &'static str, choices: &[(&str, T)]) -> Read<T> {
        let allowed = choices.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
        self.parse(key, &allowed, |text| {
            choices.iter().find(|(word, _)| *word == text).map(|(_, choice)| choice.clone())
        })
    }

    /// Reads an HTTP or HTTPS URL without a path. `None` if it is empty.
    pub(super) fn base_url(&mut self, key: &'static str) -> Read<Option<String>> {
        self.parse(key, "an address such as https://example.com, without a path", |text| {
            if text.is_empty() {
                return Some(None);
            }
            let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
            let host = rest.strip_suffix('/').unwrap_or(rest);
            let plain = !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']);
            plain.then(|| Some(text.trim_end_matches('/').to_owned()))
        })
    }

    /// Reads a list of words. Empty items are dropped.
    pub(super) fn list(&mut self, key: &'static str) -> Read<Vec<String>> {
        Ok(items(&self.value(key)?.raw))
    }

    /// Returns whether the text is exactly `word`.
    pub(super) fn is_exactly(&mut self, key: &'static str, word: &str) -> Read<bool> {
        Ok(matches!(&self.value(key)?.raw, Raw::Text(text) if text == word))
    }

    /// Reads a list whose items `parse` accepts. Errors don't show the values, which may be phone numbers.
    pub(super) fn checked_list<T>(
        &mut self,
        key: &'static str,
        allowed: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Read<Vec<T>> {
        let value = self.value(key)?;
        let parsed: Option<Vec<T>> = items(&value.raw).iter().map(|item| parse(item)).collect();
        parsed.ok_or_else(|| refused(key, value, allowed, true))
    }

    /// Reads a secret. `None` if it is empty.
    pub(super) fn secret(&mut self, key: &'static str) -> Read<Option<SecretString>> {
        let value = self.value(key)?.clone();
        match value.raw {
            Raw::Text(text) => Ok((!text.is_empty()).then(|| text.into())),
            Raw::List(_) => Err(refused(key, &value, "a text", true)),
        }
    }

    pub(super) fn secrets(&mut self, key: &'static str) -> Read<Vec<SecretString>> {
        Ok(items(&self.value(key)?.raw).into_iter().map(SecretString::from).collect())
    }

    /// Reads a secret that `check` accepts.
    pub(super) fn checked_secret(
        &mut self,
        key: &'static str,
        allowed: &str,
        check: impl FnOnce(&str) -> bool,
    ) -> Read<SecretString> {
        let value = self.value(key)?.clone();
        match &value.raw {
            Raw::Text(text) if check(text) => Ok(SecretString::from(text.clone())),
            _ => Err(refused(key, &value, allowed, true)),
        }
    }

    /// Reads a text that `parse` accepts.
    pub(super) fn parse<T>(
        &mut self,
        key: &'static str,
        allowed: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Read<T> {
        let value = self.value(key)?;
        let parsed = match &value.raw {
            Raw::Text(text) => parse(text.trim()),
            Raw::List(_) => None,
        };
        parsed.ok_or_else(|| refused(key, value, allowed, false))
    }

    fn value(&mut self, key: &'static str) -> Read<&'a Value> {
        self.read.insert(key);
        // All keys that are read are in default.toml. A test reads them all.
        self.layers.get(key).ok_or_else(|| ConfigError::UnknownKey {
            key: key.to_owned(),
            origin: super::Origin::BuiltIn("program"),
            allowed: "default.toml lacks it".to_owned(),
        })
    }
}

fn items(raw: &Raw) -> Vec<String> {
    let items: Vec<&str> = match raw {
        Raw::Text(text) => text.split(',').collect(),
        Raw::List(items) => items.iter().map(String::as_str).collect(),
    };
    items.into_iter().map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

fn refused(key: &'static str, value: &Value, allowed: &str, secret: bool) -> ConfigError {
    let shown = match &value.raw {
        _ if secret => "what it is".to_owned(),
        Raw::Text(text) => format!("{text:?}"),
        Raw::List(items) => format!("{items:?}"),
    };
    ConfigError::Value { key, value: shown, origin: value.origin.clone(), allowed: allowed.to_owned() }
}
