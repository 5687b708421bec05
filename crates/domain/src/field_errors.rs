//! The invalid fields of a request, collected so that a caller can correct all of them at once.

use std::collections::BTreeMap;

use nightshift_db::Timestamp;

use crate::Error;
use crate::country::Country;
use crate::phone::PhoneNumber;

/// A message for each field. Only the first error of a field is kept.
#[derive(Debug, Default)]
pub(crate) struct FieldErrors(BTreeMap<String, String>);

/// The allowed length of a text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TextLimit {
    /// Characters, not bytes.
    pub chars_max: usize,
}

impl TextLimit {
    /// Whether the text is not empty, not too long, and free of NUL, which PostgreSQL can't store.
    pub(crate) fn allows(self, text: &str) -> bool {
        !text.is_empty() && !text.contains('\0') && text.chars().count() <= self.chars_max
    }
}

impl FieldErrors {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn add(&mut self, field: &str, sentence: impl Into<String>) {
        self.0.entry(field.to_owned()).or_insert_with(|| sentence.into());
    }

    /// Returns a required text, trimmed.
    pub(crate) fn required(&mut self, field: &str, text: Option<String>, limit: TextLimit) -> Option<String> {
        if text.as_deref().is_none_or(|text| text.trim().is_empty()) {
            self.add(field, "is required");
            return None;
        }
        self.optional(field, text, limit)
    }

    /// Returns a text that may be missing or empty, trimmed.
    pub(crate) fn optional(&mut self, field: &str, text: Option<String>, limit: TextLimit) -> Option<String> {
        let text = text?.trim().to_owned();
        if text.is_empty() {
            return None;
        }
        if !limit.allows(&text) {
            self.add(field, format!("must be at most {} characters", limit.chars_max));
            return None;
        }
        Some(text)
    }

    /// Parses a required phone number by the conventions of `country`.
    pub(crate) fn phone(&mut self, field: &str, text: Option<&str>, country: Option<Country>) -> Option<PhoneNumber> {
        let read = PhoneNumber::read(text.unwrap_or_default(), country);
        read.map_err(|problem| self.add(field, problem.to_string())).ok()
    }

    /// Parses a required RFC 3339 time.
    pub(crate) fn moment(&mut self, field: &str, text: Option<&str>) -> Option<Timestamp> {
        let parsed = text.and_then(|text| text.parse().ok());
        if parsed.is_none() {
            self.add(field, "must be an RFC 3339 time such as 2024-12-31T10:00:00Z");
        }
        parsed
    }

    /// Returns the error that names all invalid fields.
    pub(crate) fn into_error(self) -> Error {
        Error::Invalid(self.0)
    }

    /// Returns the error if any field is invalid.
    pub(crate) fn finish(self) -> crate::Result<()> {
        if self.is_empty() { Ok(()) } else { Err(self.into_error()) }
    }
}
