//! Errors of the settings, worded for the operator who fixes them.

use std::fmt;

/// The source of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A file that is embedded in the program.
    BuiltIn(&'static str),
    /// A file on disk.
    File(String),
    Variable(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn(name) => write!(f, "the built-in {name}"),
            Self::File(path) => write!(f, "the file {path}"),
            Self::Variable(name) => write!(f, "the environment variable {name}"),
        }
    }
}

/// An error while reading the settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// `NIGHTSHIFT_ENV` or `APP_ENV` names no environment, or they disagree.
    #[error("{0}")]
    Environment(String),
    /// A named file can't be read.
    #[error("the settings file {path} can't be read: {why}")]
    File {
        path: String,
        /// The error of the operating system.
        why: String,
    },
    /// A file is not valid TOML.
    #[error("{origin} is not valid TOML: {why}")]
    Syntax {
        origin: Origin,
        /// The line, and the reason.
        why: String,
    },
    /// There is no such setting.
    #[error("unknown setting {key} in {origin}; {allowed}")]
    UnknownKey {
        key: String,
        origin: Origin,
        /// The keys or sections that exist.
        allowed: String,
    },
    /// The setting does not accept the value.
    #[error("the setting {key} can't be {value} ({origin}); allowed: {allowed}")]
    Value {
        key: &'static str,
        /// The value, or a placeholder if it may be secret.
        value: String,
        origin: Origin,
        /// The values that the setting accepts.
        allowed: String,
    },
}
