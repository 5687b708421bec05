//! What a rule or the database may answer instead of a result. The HTTP layer turns each into its status.

use std::collections::BTreeMap;
use std::time::Duration;

use nightshift_db::DbError;

/// The usual result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A refusal or failure.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
    /// Well-formed but invalid values: field to sentence.
    #[error("{}", sentence(.0))]
    Invalid(BTreeMap<String, String>),
    /// It does not exist, or not for this caller.
    #[error("not found")]
    NotFound,
    /// It conflicts with how things stand.
    #[error("{message}")]
    Conflict {
        /// Machine-readable reason.
        code: &'static str,
        /// For people.
        message: String,
    },
    /// The caller is known and may not.
    #[error("{message}")]
    Forbidden {
        /// Machine-readable reason.
        code: &'static str,
        /// For people.
        message: String,
    },
    /// The cursor of a list is none that this program gave out.
    #[error("the cursor is not valid")]
    BadCursor,
    /// Too much of it is done at once; nothing was done, and the same call may be made again after so long.
    #[error("too much at once")]
    Busy(Duration),
}

impl Error {
    /// A conflict with a machine-readable reason and a sentence.
    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::Conflict { code, message: message.into() }
    }

    /// A refusal with a machine-readable reason and a sentence.
    pub fn forbidden(code: &'static str, message: impl Into<String>) -> Self {
        Self::Forbidden { code, message: message.into() }
    }

    /// One invalid field.
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
