//! Checks of live data against the invariants of the queue's tables.

use nightshift_db::{Db, Timestamp};

use crate::store::lifecycle::CRASHES_MAX;

/// An invariant that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The invariant, as a sentence.
    pub promise: &'static str,
    /// Some of the rows that violate it.
    pub examples: Vec<String>,
}

/// Maximum number of rows in [`Broken::examples`].
const EXAMPLES: usize = 5;
/// A lease lasts 30 s and expired ones are rescued every 5 s, so one that is overdue by this much was not rescued.
const LEASE_OVERDUE: std::time::Duration = std::time::Duration::from_secs(90);
/// Time after which an effect whose answer was lost should have been settled with the provider's help.
const EFFECT_OVERDUE: std::time::Duration = std::time::Duration::from_secs(3600);

impl Broken {
    /// Returns the invariant with the rows that violate it, or `None` if there are no such rows.
    #[must_use]
    pub fn by(promise: &'static str, rows: Vec<(String,)>) -> Option<Self> {
        let examples: Vec<String> = rows.into_iter().map(|(row,)| row).take(EXAMPLES).collect();
        (!examples.is_empty()).then_some(Self { promise, examples })
    }
}

/// The invariants, each with the statement that finds its violations. `$1` is the time before which something is
/// overdue.
const CHECKS: &[(&str, &str)] = &[
    (
        "a running job has a lease",
        "SELECT id FROM jobs WHERE state = 'running' AND (lease_id IS NULL OR leased_until IS NULL) AND $1 = $1 LIMIT 5",
    ),
    (
        "the job of an expired lease is taken back",
        "SELECT id FROM jobs WHERE state = 'running' AND leased_until < $1 LIMIT 5",
    ),
    (
        "a job that is due is ready to be claimed",
        "SELECT id FROM jobs
         WHERE state IN ('queued', 'retrying') AND waiting AND parked_reason IS NULL AND run_at < $1 LIMIT 5",
    ),
    (
        "a job that ended says when, and no other does",
        "SELECT id FROM jobs
         WHERE (state IN ('succeeded', 'dead', 'cancelled')) <> (finished_at IS NOT NULL) AND $1 = $1 LIMIT 5",
    ),
    (
        "a group runs one job at a time",
        "SELECT group_key FROM jobs WHERE state = 'running' AND group_key IS NOT NULL AND $1 = $1
         GROUP BY group_key HAVING count(*) > 1 LIMIT 5",
    ),
    (
        "a dedup key is unique among unfinished jobs",
        "SELECT dedup_key FROM jobs
         WHERE dedup_key IS NOT NULL AND state IN ('queued', 'running', 'retrying') AND $1 = $1
         GROUP BY dedup_key HAVING count(*) > 1 LIMIT 5",
    ),
    (
        "an occurrence that was fired has its job",
        "SELECT schedule || ' ' || scope || ' ' || local_slot FROM schedule_slots
         WHERE outcome = 'fired' AND job_id IS NULL AND $1 = $1 LIMIT 5",
    ),
];

/// Returns the invariants of the queue that do not hold. Reads the whole table of jobs.
pub async fn broken(db: &Db, now: Timestamp) -> nightshift_db::Result<Vec<Broken>> {
    let mut found = Vec::new();
    for (promise, sql) in CHECKS {
        found.extend(Broken::by(promise, db.read(sql).bind(now - LEASE_OVERDUE).all().await?));
    }
    let beyond = db
        .read("SELECT id FROM jobs WHERE attempts > max_attempts OR crashes > $1 LIMIT 5")
        .bind(CRASHES_MAX)
        .all()
        .await?;
    found.extend(Broken::by("attempts and lost leases stay within their limits", beyond));
    let forgotten = db
        .read(
            "SELECT kind || ' ' || business_key FROM effects
             WHERE state IN ('asked', 'unknown') AND asked_at < $1 LIMIT 5",
        )
        .bind(now - EFFECT_OVERDUE)
        .all()
        .await?;
    found.extend(Broken::by("an effect has its answer within an hour", forgotten));
    Ok(found)
}

/// Returns whether there is an unfinished or dead job for this key. The key may be a job's once or deduplication key,
/// or the part of such a key before a colon.
pub async fn is_taken_care_of(db: &Db, key: &str) -> nightshift_db::Result<bool> {
    db.read(
        "SELECT EXISTS (SELECT 1 FROM jobs
         WHERE (once_key = $1 OR dedup_key = $1 OR once_key LIKE $1 || ':%' OR dedup_key LIKE $1 || ':%')
           AND state IN ('queued', 'running', 'retrying', 'dead'))",
    )
    .bind(key)
    .scalar()
    .await
}

/// Returns the number of effects whose outcome is unknown or not yet stored.
pub async fn effects_in_doubt(db: &Db) -> nightshift_db::Result<i64> {
    db.read("SELECT count(*) FROM effects WHERE state IN ('asked', 'unknown')").scalar().await
}
