//! Pauses and resumes queues, and limits them across all processes.
//!
//! Only queues with settings that differ from the defaults have a row. Running jobs are counted each time, never kept
//! in a counter, which a crash could falsify. The rate limit is a token bucket stored in the row.

use std::time::Duration;

use nightshift_db::{Db, Engine, Result, Timestamp, Tx};
use sqlx::FromRow;

use crate::store::queue::Queue;

/// The settings and the state of a queue.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct QueueState {
    /// Name of the queue.
    pub name: String,
    /// Whether its jobs are kept from being claimed.
    pub paused: bool,
    /// Who paused it. `None` if it is not paused.
    pub paused_by: Option<String>,
    /// The reason given for the pause. `None` if it is not paused.
    pub paused_reason: Option<String>,
    /// Time of the pause. `None` if it is not paused.
    pub paused_at: Option<Timestamp>,
    /// Maximum number of running jobs across all processes. `None` for no limit.
    pub concurrency: Option<i64>,
    /// Maximum number of jobs started per second across all processes. `None` for no limit.
    pub rate_per_second: Option<f64>,
    /// Number of jobs that may start at once after an idle time, under the rate limit.
    pub burst: i64,
}

/// Limits across all processes. `None` removes a limit.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Limits {
    /// Maximum number of running jobs, greater than zero.
    pub concurrency: Option<i64>,
    /// Maximum number of jobs started per second, greater than zero.
    pub rate_per_second: Option<f64>,
    /// Number of jobs that may start at once after an idle time, greater than zero; `None` means 1.
    pub burst: Option<i64>,
}

impl Queue {
    /// Stops all processes from claiming jobs of the queue `name`. Running jobs continue, and jobs can still be
    /// enqueued.
    pub async fn pause(&self, tx: &mut Tx, name: &str, by: &str, reason: &str) -> Result<()> {
        let now = self.clock().now();
        tx.query(
            "INSERT INTO queues (name, paused, paused_by, paused_reason, paused_at) VALUES ($1, TRUE, $2, $3, $4)
             ON CONFLICT (name) DO UPDATE
             SET paused = TRUE, paused_by = $2, paused_reason = $3, paused_at = $4, updated_at = $4",
        )
        .bind(name)
        .bind(by)
        .bind(reason)
        .bind(now)
        .execute()
        .await?;
        Ok(())
    }

    /// Lets jobs of the queue `name` be claimed again. Returns whether it was paused.
    pub async fn resume(&self, tx: &mut Tx, name: &str) -> Result<bool> {
        let resumed = tx
            .query(
                "UPDATE queues SET paused = FALSE, paused_by = NULL, paused_reason = NULL, paused_at = NULL,
                        updated_at = $2
                 WHERE name = $1 AND paused",
            )
            .bind(name)
            .bind(self.clock().now())
            .execute()
            .await?;
        let wake = self.wake().clone();
        tx.after_commit(move || wake.look_everywhere());
        Ok(resumed > 0)
    }

    /// Replaces the limits of the queue `name`, which hold across all processes.
    ///
    /// # Errors
    /// [`DbError::Refused`](nightshift_db::DbError::Refused) if a limit is not greater than zero.
    pub async fn limit(&self, tx: &mut Tx, name: &str, limits: Limits) -> Result<()> {
        tx.query(
            "INSERT INTO queues (name, concurrency, rate_per_second, burst) VALUES ($1, $2, $3, $4)
             ON CONFLICT (name) DO UPDATE
             SET concurrency = $2, rate_per_second = $3, burst = $4, tokens = 0, tokens_at = NULL, updated_at = $5",
        )
        .bind(name)
        .bind(limits.concurrency)
        .bind(limits.rate_per_second)
        .bind(limits.burst.unwrap_or(1))
        .bind(self.clock().now())
        .execute()
        .await?;
        let wake = self.wake().clone();
        tx.after_commit(move || wake.look_everywhere());
        Ok(())
    }

    /// Returns all queues with settings that differ from the defaults, by name.
    pub async fn settings(&self) -> Result<Vec<QueueState>> {
        self.db()
            .read(
                "SELECT name, paused, paused_by, paused_reason, paused_at, concurrency, rate_per_second, burst
                 FROM queues ORDER BY name",
            )
            .all()
            .await
    }
}

#[derive(FromRow)]
struct Bucket {
    concurrency: Option<i64>,
    rate_per_second: Option<f64>,
    burst: i64,
    tokens: f64,
    tokens_at: Option<Timestamp>,
}

/// If a bucket was last used further in the future than this, the clock has been set back since. The clocks of
/// different machines differ by less, so a smaller difference must not refill the bucket.
const SET_BACK: Duration = Duration::from_secs(10);

/// Returns how many jobs of a limited queue may be claimed now, at most `slots`. Locks the queue's row until `tx` ends.
pub(crate) async fn allowance(tx: &mut Tx, queue: &str, slots: usize, now: Timestamp) -> Result<usize> {
    // On SQLite no lock is needed: the transaction is the only writer.
    let sql = match tx.engine() {
        Engine::Postgres => {
            "SELECT concurrency, rate_per_second, burst, tokens, tokens_at FROM queues WHERE name = $1 FOR UPDATE"
        }
        Engine::Sqlite => "SELECT concurrency, rate_per_second, burst, tokens, tokens_at FROM queues WHERE name = $1",
    };
    let Some(mut bucket) = tx.query(sql).bind(queue).optional::<Bucket>().await? else {
        return Ok(slots);
    };
    if bucket.tokens_at.is_some_and(|at| at > now + SET_BACK) {
        // The bucket fills from now on. Otherwise it would stay empty until the clock reaches the old time again.
        bucket.tokens_at = Some(now);
        tx.query("UPDATE queues SET tokens_at = $2 WHERE name = $1").bind(queue).bind(now).execute().await?;
    }
    let mut allowed = i64::try_from(slots).unwrap_or(i64::MAX);
    if let Some(concurrency) = bucket.concurrency {
        let running: i64 =
            tx.query("SELECT count(*) FROM jobs WHERE queue = $1 AND state = 'running'").bind(queue).scalar().await?;
        allowed = allowed.min(concurrency - running);
    }
    if bucket.rate_per_second.is_some() {
        #[expect(clippy::cast_possible_truncation, reason = "a float beyond i64 saturates, which is what we want")]
        let whole = tokens(&bucket, now).floor() as i64;
        allowed = allowed.min(whole);
    }
    Ok(usize::try_from(allowed).unwrap_or(0))
}

/// The limit that keeps a due job from starting.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum HeldBack {
    /// The queue has as many running jobs as its limit allows.
    Full { running: i64, limit: i64 },
    /// The bucket holds less than one token.
    Slow { per_second: f64, next: Timestamp },
}

/// Returns the limit of `queue` that lets no job start at `now`, if any. Only reads: one probe of `queues`, and at most
/// as many rows of index jobs_running as the limit allows.
pub(crate) async fn held_back(db: &Db, queue: &str, now: Timestamp) -> Result<Option<HeldBack>> {
    let bucket: Option<Bucket> = db
        .read("SELECT concurrency, rate_per_second, burst, tokens, tokens_at FROM queues WHERE name = $1")
        .bind(queue)
        .optional()
        .await?;
    let Some(bucket) = bucket else { return Ok(None) };
    if let Some(limit) = bucket.concurrency {
        let running: i64 = db
            .read(
                "SELECT count(*) FROM
                   (SELECT 1 FROM jobs WHERE queue = $1 AND state = 'running' LIMIT $2) AS running",
            )
            .bind(queue)
            .bind(limit)
            .scalar()
            .await?;
        if running >= limit {
            return Ok(Some(HeldBack::Full { running, limit }));
        }
    }
    let missing = 1.0 - tokens(&bucket, now);
    Ok(bucket.rate_per_second.filter(|_| missing > 0.0).map(|per_second| HeldBack::Slow {
        per_second,
        // A wait that is too long for a Duration is as good as endless.
        next: now + Duration::try_from_secs_f64(missing / per_second).unwrap_or(Duration::MAX),
    }))
}

/// Takes `count` tokens from the bucket of a queue that [`allowance`] has locked.
pub(crate) async fn spend(tx: &mut Tx, queue: &str, count: usize, now: Timestamp) -> Result<()> {
    let bucket: Option<Bucket> = tx
        .query("SELECT concurrency, rate_per_second, burst, tokens, tokens_at FROM queues WHERE name = $1")
        .bind(queue)
        .optional()
        .await?;
    let Some(bucket) = bucket.filter(|bucket| bucket.rate_per_second.is_some() && count > 0) else {
        return Ok(());
    };
    let spent = u32::try_from(count).map_or(f64::MAX, f64::from);
    tx.query("UPDATE queues SET tokens = $2, tokens_at = $3 WHERE name = $1")
        .bind(queue)
        .bind((tokens(&bucket, now) - spent).max(0.0))
        .bind(now)
        .execute()
        .await?;
    Ok(())
}

/// Returns the number of tokens in the bucket now. A bucket that was never used is full.
#[expect(clippy::cast_precision_loss, reason = "bursts are small numbers")]
fn tokens(bucket: &Bucket, now: Timestamp) -> f64 {
    let full = bucket.burst as f64;
    let rate = bucket.rate_per_second.unwrap_or(0.0);
    bucket.tokens_at.map_or(full, |at| (bucket.tokens + now.since(at).as_secs_f64() * rate).min(full))
}
