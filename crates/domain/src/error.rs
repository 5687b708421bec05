//! The errors of this crate. The HTTP layer maps each to a status.

use std::collections::BTreeMap;
use std::time::Duration;

use nightshift_db::DbError;

/// The result type of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Db(#[from] DbError),
    /// Values that are well-formed but invalid: a message for each field.
    #[error("{}", sentence(.0))]
    Invalid(BTreeMap<String, String>),
    /// It does not exist, or the caller may not know that it does.
    #[error("not found")]
    NotFound,
    /// The request conflicts with the current state.
    #[error("{message}")]
    Conflict {
        /// Machine-readable reason.
        code: &'static str,
        /// A sentence for people.
        message: String,
    },
    /// The caller is authenticated but has no permission.
    #[error("{message}")]
    Forbidden {
        /// Machine-readable reason.
        code: &'static str,
        /// A sentence for people.
        message: String,
    },
    /// The cursor of a list was not issued by this program.
    #[error("the cursor is not one that this API gave out")]
    BadCursor,
    /// Too many such requests run at once. Nothing was done, and the caller may retry after this duration.
    #[error("too much at once")]
    Busy(Duration),
}

impl Error {
    /// Creates a conflict with a machine-readable reason and a sentence for people.
    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::Conflict { code, message: message.into() }
    }

    /// Creates a refusal with a machine-readable reason and a sentence for people.
    pub fn forbidden(code: &'static str, message: impl Into<String>) -> Self {
        Self::Forbidden { code, message: message.into() }
    }

    /// Creates an error about one invalid field.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(BTreeMap::from([(field.into(), message.into())]))
    }

    /// Whether the same call may succeed later without a change.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Db(error) if error.is_transient()) || matches!(self, Self::Busy(_))
    }
}

fn sentence(fields: &BTreeMap<String, String>) -> String {
    fields.iter().map(|(field, message)| format!("{field}: {message}")).collect::<Vec<_>>().join("; ")
}
