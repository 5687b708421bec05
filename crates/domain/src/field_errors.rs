//! What is wrong with a request, field by field, so that a caller can mend all of it at once.

use std::collections::BTreeMap;

use nightshift_db::Timestamp;

use crate::Error;
use crate::country::Country;
use crate::phone::PhoneNumber;

/// Sentences by field; a field's first problem stays.
#[derive(Debug, Default)]
pub(crate) struct FieldErrors(BTreeMap<String, String>);

/// What a text may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TextLimit {
    /// Characters, not bytes.
    pub chars_max: usize,
}

impl TextLimit {
    /// Whether the text is neither empty nor too long nor holds what PostgreSQL can't store.
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

    /// A text that must be there, without the spaces around it.
    pub(crate) fn required(&mut self, field: &str, text: Option<String>, limit: TextLimit) -> Option<String> {
        if text.as_deref().is_none_or(|text| text.trim().is_empty()) {
            self.add(field, "is required");
            return None;
        }
        self.optional(field, text, limit)
    }

    /// A text that may be missing or empty, without the spaces around it.
    pub(crate) fn optional(&mut self, field: &str, text: Option<String>, limit: TextLimit) -> Option<String> {
        let text = text?.trim().to_owned();
        if text.is_empty() {
            return None;
        }
        if !limit.allows(&text) {
            self.add(field, format!("must be at most {} characters and without control characters", limit.chars_max));
            return None;
        }
        Some(text)
    }

    /// A phone number that must be there, read as in `country`.
    pub(crate) fn phone(&mut self, field: &str, text: Option<&str>, country: Option<Country>) -> Option<PhoneNumber> {
        let read = PhoneNumber::read(text.unwrap_or_default(), country);
        read.map_err(|problem| self.add(field, problem.to_string())).ok()
    }

    /// A time that must be there.
    pub(crate) fn moment(&mut self, field: &str, text: Option<&str>) -> Option<Timestamp> {
        let parsed = text.and_then(|text| text.parse().ok());
        if parsed.is_none() {
            self.add(field, "must be an RFC 3339 time such as 2024-12-31T10:00:00Z");
        }
        parsed
    }

    /// The error that names them all.
    pub(crate) fn into_error(self) -> Error {
        Error::Invalid(self.0)
    }

    /// An error when there is any problem.
    pub(crate) fn finish(self) -> crate::Result<()> {
        if self.is_empty() { Ok(()) } else { Err(self.into_error()) }
    }
}
