//! Deletes finished jobs by age.
//!
//! Ids sort by creation, so the sweep walks the primary key from the oldest job and stops at jobs that are too young to
//! have expired. It reads little more than what it deletes, whatever the size of the table, in short transactions.

use std::time::Duration;

use nightshift_db::{Db, Result, Timestamp, new_id};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long finished jobs are kept after their end, by state. Their attempts and steps are deleted with them.
pub const KEPT: [(&str, Duration); 3] =
    [("succeeded", DAY.saturating_mul(14)), ("cancelled", DAY.saturating_mul(30)), ("dead", DAY.saturating_mul(90))];
/// Rows of workers whose last heartbeat is older than this are deleted.
const STALE_WORKERS: Duration = DAY;
/// Fired slots older than this are deleted, except for the newest of each schedule, which says what has been fired.
const OLD_SLOTS: Duration = DAY.saturating_mul(30);
const BATCH: i64 = 1_000;

/// The number of rows that a sweep deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Swept {
    /// Succeeded jobs.
    pub succeeded: u64,
    /// Cancelled jobs.
    pub cancelled: u64,
    /// Dead jobs.
    pub dead: u64,
    /// Workers that no longer send heartbeats.
    pub workers: u64,
    /// Fired slots of schedules.
    pub slots: u64,
}

/// One step along the primary key: the last id of the next batch of jobs.
const STEP: &str = "SELECT max(id) FROM (SELECT id FROM jobs WHERE id > $1 AND id < $2 ORDER BY id LIMIT $3) AS next";
const REMOVE: &str = "
DELETE FROM jobs WHERE id > $1 AND id <= $2 AND state = $3 AND finished_at < $4";

/// Deletes finished jobs older than [`KEPT`], stale workers and old slots. Unfinished jobs are never deleted.
///
/// # Errors
/// A database error. Earlier batches stay deleted, and the next sweep continues.
pub async fn sweep(db: &Db, now: Timestamp) -> Result<Swept> {
    let mut removed = [0_u64; 3];
    // A job that was created after this can't have expired.
    let youngest = KEPT.iter().map(|(_, kept)| *kept).min().map_or(now, |kept| now - kept);
    let end = new_id(youngest);
    let mut after = String::new();
    loop {
        let step: Option<String> = db.read(STEP).bind(&after).bind(&end).bind(BATCH).scalar().await?;
        let Some(last) = step else { break };
        for ((state, kept), count) in KEPT.iter().zip(&mut removed) {
            let cutoff = now - *kept;
            *count += db.write(REMOVE).bind(&after).bind(&last).bind(*state).bind(cutoff).execute().await?;
        }
        after = last;
    }
    let workers = db.write("DELETE FROM workers WHERE heartbeat_at < $1").bind(now - STALE_WORKERS).execute().await?;
    let slots = db
        .write(
            "DELETE FROM schedule_slots
             WHERE fired_at < $1 AND EXISTS (
               SELECT 1 FROM schedule_slots AS newer
               WHERE newer.schedule = schedule_slots.schedule AND newer.scope = schedule_slots.scope
                 AND newer.local_slot > schedule_slots.local_slot)",
        )
        .bind(now - OLD_SLOTS)
        .execute()
        .await?;
    let [succeeded, cancelled, dead] = removed;
    Ok(Swept { succeeded, cancelled, dead, workers, slots })
}
