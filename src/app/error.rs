//! Errors that keep the program from starting.

use nightshift_db::DbError;
use nightshift_providers::ClientError;

use crate::config::SessionSecretError;

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings are unsafe or can't work.
    #[error("{}", .0.join("\n"))]
    Refused(Vec<String>),
    #[error("can't listen on {address}: {source}; another program may use the port, PORT=0 picks a free one")]
    Listen {
        /// The address in the settings.
        address: String,
        source: std::io::Error,
    },
    /// The session secret can't be read or stored.
    #[error(transparent)]
    Secret(#[from] SessionSecretError),
    #[error(transparent)]
    Db(#[from] DbError),
    #[error("the database lacks the migrations {}; run `nightshift migrate`, or set database.auto_migrate", .0.join(", "))]
    NotMigrated(Vec<String>),
    /// The HTTP client of a provider can't be built.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The metrics recorder or a thread can't be started.
    #[error("{0}")]
    Setup(String),
}
