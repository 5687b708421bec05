//! How many connections a pool has, and how long its callers and its statements may take.

use std::time::Duration;

/// Limits of a connection pool.
#[derive(Debug, Clone)]
pub struct DbOptions {
    /// PostgreSQL connections, or SQLite readers (its writer comes on top).
    pub connections_max: u32,
    /// How long a caller waits for a connection before the database counts as unavailable.
    pub acquire_timeout: Duration,
    /// How long PostgreSQL may work on one statement.
    pub statement_limit: Duration,
}

impl Default for DbOptions {
    fn default() -> Self {
        Self { connections_max: 16, acquire_timeout: Duration::from_secs(3), statement_limit: Duration::from_secs(20) }
    }
}
