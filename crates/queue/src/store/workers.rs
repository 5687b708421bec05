//! The rows of workers: who runs, since when, and when it last said so.

use std::time::Duration;

use nightshift_db::{Db, Json, Result, Timestamp};

/// Between two heartbeats of a worker.
pub(crate) const HEARTBEAT_EVERY: Duration = Duration::from_secs(20);
/// A worker without a heartbeat for so long is taken for dead by those who look.
pub(crate) const ALIVE_FOR: Duration = HEARTBEAT_EVERY.saturating_mul(3);

/// One heartbeat.
pub(crate) struct Beat<'a> {
    pub id: &'a str,
    pub hostname: &'a str,
    pub queues: &'a [String],
    /// Jobs that it holds.
    pub running: usize,
    pub started_at: Timestamp,
    pub now: Timestamp,
}

/// Writes the worker's row, or its new heartbeat.
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

/// Removes the row of a worker that ends.
pub(crate) async fn remove(db: &Db, id: &str) -> Result<()> {
    db.write("DELETE FROM workers WHERE id = $1").bind(id).execute().await?;
    Ok(())
}
