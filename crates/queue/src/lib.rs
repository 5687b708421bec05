//! The durable job queue: transactional enqueue, leases, retries and dead letters on SQLite and PostgreSQL.
