//! Typed reading of one Stripe object by dotted paths. Null counts as absent; a value of another type than asked for is
//! an error that names the field and never the value.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::event::EventError;

pub(super) struct Fields<'a> {
    kind: &'static str,
    object: &'a Value,
}

impl<'a> Fields<'a> {
    pub(super) fn of(kind: &'static str, object: &'a Value) -> Self {
        Self { kind, object }
    }

    /// Text; blank counts as absent.
    pub(super) fn text(&self, field: &'static str) -> Result<Option<String>, EventError> {
        match self.at(field)? {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.trim()).filter(|t| !t.is_empty()).map(str::to_owned)),
            Some(_) => Err(self.wrong(field)),
        }
    }

    pub(super) fn required_text(&self, field: &'static str) -> Result<String, EventError> {
        self.text(field)?.ok_or_else(|| self.missing(field))
    }

    /// The id of a linked object, which may be expanded.
    pub(super) fn link(&self, field: &'static str) -> Result<Option<String>, EventError> {
        match self.at(field)? {
            Some(Value::Object(expanded)) => match expanded.get("id") {
                Some(Value::String(id)) if !id.is_empty() => Ok(Some(id.clone())),
                _ => Err(self.wrong(field)),
            },
            _ => self.text(field),
        }
    }

    /// A whole number, not negative.
    pub(super) fn amount(&self, field: &'static str) -> Result<Option<i64>, EventError> {
        match self.at(field)? {
            None => Ok(None),
            Some(value) => value.as_i64().filter(|n| *n >= 0).map(Some).ok_or_else(|| self.wrong(field)),
        }
    }

    pub(super) fn required_amount(&self, field: &'static str) -> Result<i64, EventError> {
        self.amount(field)?.ok_or_else(|| self.missing(field))
    }

    /// A flag; absent means no.
    pub(super) fn flag(&self, field: &'static str) -> Result<bool, EventError> {
        match self.at(field)? {
            None => Ok(false),
            Some(value) => value.as_bool().ok_or_else(|| self.wrong(field)),
        }
    }

    /// An instant in Unix seconds.
    pub(super) fn time(&self, field: &'static str) -> Result<Option<DateTime<Utc>>, EventError> {
        match self.at(field)? {
            None => Ok(None),
            Some(value) => value
                .as_i64()
                .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
                .map(Some)
                .ok_or_else(|| self.wrong(field)),
        }
    }

    fn at(&self, field: &'static str) -> Result<Option<&'a Value>, EventError> {
        let mut value = self.object;
        for name in field.split('.') {
            match value {
                Value::Object(map) => match map.get(name) {
                    None | Some(Value::Null) => return Ok(None),
                    Some(inner) => value = inner,
                },
                _ => return Err(self.wrong(field)),
            }
        }
        Ok(Some(value))
    }

    fn missing(&self, field: &'static str) -> EventError {
        EventError::MissingField { kind: self.kind, field }
    }

    fn wrong(&self, field: &'static str) -> EventError {
        EventError::WrongType { kind: self.kind, field }
    }
}
