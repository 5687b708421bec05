//! Why the program could not start.

use nightshift_db::DbError;
use nightshift_providers::ClientError;

use crate::config::SessionSecretError;

/// The program could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings must not serve.
    #[error("{}", .0.join("\n"))]
    Refused(Vec<String>),
    /// The address can't be listened on.
    #[error("can't listen on {address}: {source}; another program may use the port, PORT=0 picks a free one")]
    Listen {
        /// As set.
        address: String,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// The session secret can't be kept.
    #[error(transparent)]
    Secret(#[from] SessionSecretError),
    /// The database is not what it must be.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The schema is older than the program.
    #[error("the database lacks the migrations {}; run `nightshift migrate`, or set database.auto_migrate", .0.join(", "))]
    NotMigrated(Vec<String>),
    /// A client of an outside service can't be built.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The metrics recorder or a thread can't be started.
    #[error("{0}")]
    Setup(String),
}
