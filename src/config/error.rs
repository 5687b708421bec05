//! Problems with settings, worded for the person who has to fix them.

use std::fmt;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A file built into the program.
    BuiltIn(&'static str),
    /// A file on disk.
    File(String),
    /// An environment variable.
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

/// The settings can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// `NIGHTSHIFT_ENV` or `APP_ENV` names no environment, or they disagree.
    #[error("{0}")]
    Environment(String),
    /// A file that was named could not be read.
    #[error("the settings file {path} can't be read: {why}")]
    File {
        /// Its path.
        path: String,
        /// The operating system's answer.
        why: String,
    },
    /// A file is no TOML.
    #[error("{origin} is not valid TOML: {why}")]
    Syntax {
        /// The file.
        origin: Origin,
        /// Line and reason.
        why: String,
    },
    /// No such setting.
    #[error("unknown setting {key} in {origin}; {allowed}")]
    UnknownKey {
        /// The key.
        key: String,
        /// Where it stands.
        origin: Origin,
        /// What may stand there.
        allowed: String,
    },
    /// The value is not what the setting takes.
    #[error("the setting {key} can't be {value} ({origin}); allowed: {allowed}")]
    Value {
        /// The key.
        key: &'static str,
        /// The value, unless it is secret.
        value: String,
        /// Where it stands.
        origin: Origin,
        /// What is allowed.
        allowed: String,
    },
}
