//! Forgetting finished jobs by age.
//!
//! Ids sort by creation, so the sweep walks the primary key from the oldest job on and stops at those too young to have
//! expired: it reads what it removes and little more, whatever the size of the table, in short transactions.

use std::time::Duration;

use nightshift_db::{Db, Result, Timestamp, new_id};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long ended jobs are kept, with their attempts and steps.
pub const KEPT: [(&str, Duration); 3] =
    [("succeeded", DAY.saturating_mul(14)), ("cancelled", DAY.saturating_mul(30)), ("dead", DAY.saturating_mul(90))];
/// Worker rows without a heartbeat for so long are removed.
const STALE_WORKERS: Duration = DAY;
/// Occurrences of schedules are forgotten after so long, but for the newest: it says what has been fired.
const OLD_SLOTS: Duration = DAY.saturating_mul(30);
const BATCH: i64 = 1_000;

/// What a sweep removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Swept {
    /// Jobs that succeeded.
    pub succeeded: u64,
    /// Jobs that were cancelled.
    pub cancelled: u64,
    /// Dead jobs.
    pub dead: u64,
    /// Rows of workers that are gone.
    pub workers: u64,
    /// Rows of schedules' occurrences.
    pub slots: u64,
}

/// One step along the primary key: the last id of the next thousand jobs, and the removal of the expired among them.
const STEP: &str = "SELECT max(id) FROM (SELECT id FROM jobs WHERE id > $1 AND id < $2 ORDER BY id LIMIT $3) AS next";
const REMOVE: &str = "
DELETE FROM jobs WHERE id > $1 AND id <= $2 AND state = $3 AND finished_at < $4";

/// Removes what is older than [`KEPT`] says. Unfinished jobs are never touched.
///
/// # Errors
/// A database error; what was removed until then stays removed, and the next sweep goes on.
pub async fn sweep(db: &Db, now: Timestamp) -> Result<Swept> {
    let mut removed = [0_u64; 3];
    // Nothing created after this can have ended long enough ago.
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
