//! The rows of workers with their heartbeats.

use std::time::Duration;

use nightshift_db::{Db, Json, Result, Timestamp};

/// Interval between two heartbeats of a worker.
pub(crate) const HEARTBEAT_EVERY: Duration = Duration::from_secs(20);
/// A worker whose last heartbeat is older than this counts as dead.
pub(crate) const ALIVE_FOR: Duration = HEARTBEAT_EVERY.saturating_mul(3);

/// The values of one heartbeat.
pub(crate) struct Beat<'a> {
    pub id: &'a str,
    pub hostname: &'a str,
    pub queues: &'a [String],
    /// Number of jobs that the worker holds.
    pub running: usize,
    pub started_at: Timestamp,
    pub now: Timestamp,
}

/// Inserts the worker's row, or updates its heartbeat.
pub(crate) async fn beat(db: &Db, beat: Beat<'_>) -> Result<()> {
    db.write(
        "INSERT INTO workers (id, hostname, queues, started_at, heartbeat_at, running)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (id) DO UPDATE SET heartbeat_at = $5, running = $6, updated_at = $5",
    )
    .bind(beat.id)
    .bind(beat.hostname)
    .bind(Json(beat.queues))
    .bind(beat.started_at)
    .bind(beat.now)
    .bind(i64::try_from(beat.running).unwrap_or(i64::MAX))
    .execute()
    .await?;
    Ok(())
}

/// Deletes the row of a worker that is shutting down.
pub(crate) async fn remove(db: &Db, id: &str) -> Result<()> {
    db.write("DELETE FROM workers WHERE id = $1").bind(id).execute().await?;
    Ok(())
}
