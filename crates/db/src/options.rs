//! The limits of a connection pool.

use std::time::Duration;

/// The size and the timeouts of a connection pool.
#[derive(Debug, Clone)]
pub struct DbOptions {
    /// Maximum number of PostgreSQL connections, or of SQLite readers (the SQLite writer is one more).
    pub connections_max: u32,
    /// How long a caller waits for a connection before it gets [`DbError::Unavailable`](crate::DbError::Unavailable).
    pub acquire_timeout: Duration,
    /// PostgreSQL's `statement_timeout`. Zero means no limit.
    pub statement_limit: Duration,
}

impl Default for DbOptions {
    fn default() -> Self {
        Self { connections_max: 16, acquire_timeout: Duration::from_secs(3), statement_limit: Duration::from_secs(20) }
    }
}
