//! Steering queues: pause and resume, and limits that hold over all processes.
//!
//! Only queues that differ from the default have a row. The number of running jobs is counted from the live leases
//! each time, never kept in a counter that a crash could falsify. The rate is a token bucket stored in the row.

use std::time::Duration;

use nightshift_db::{Db, Engine, Result, Timestamp, Tx};
use sqlx::FromRow;

use crate::store::queue::Queue;

/// A queue's settings and state.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct QueueState {
    /// Its name.
    pub name: String,
    /// Whether claims are stopped.
    pub paused: bool,
    /// Who paused it.
    pub paused_by: Option<String>,
    /// Why.
    pub paused_reason: Option<String>,
    /// Since when.
    pub paused_at: Option<Timestamp>,
    /// Jobs running at a time over all processes.
    pub concurrency: Option<i64>,
    /// Jobs started per second over all processes.
    pub rate_per_second: Option<f64>,
    /// Starts that may come at once after a quiet time.
    pub burst: i64,
}

/// Limits over all processes; `None` lifts one.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Limits {
    /// Jobs running at a time.
    pub concurrency: Option<i64>,
    /// Jobs started per second.
    pub rate_per_second: Option<f64>,
    /// Starts that may come at once after a quiet time; 1 when not given.
    pub burst: Option<i64>,
}

impl Queue {
    /// Stops claims of `name` in all processes; what runs goes on, enqueueing goes on.
    ///
    /// # Errors
    /// A database error.
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

    /// Lets claims of `name` go on. Returns whether it was paused.
    ///
    /// # Errors
    /// A database error.
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

    /// Sets limits of `name` that hold over all processes.
    ///
    /// # Errors
    /// A database error, also for limits that are not positive.
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

    /// All queues that differ from the default.
    ///
    /// # Errors
    /// A database error.
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

/// A bucket that was last used so far in the future was used by a clock that has been set back since. The clocks of
/// several machines differ by less, and must not refill each other's bucket.
const SET_BACK: Duration = Duration::from_secs(10);

/// How many jobs of a limited queue may be claimed now, at most `slots`. Locks the queue's row until the end of `tx`.
pub(crate) async fn allowance(tx: &mut Tx, queue: &str, slots: usize, now: Timestamp) -> Result<usize> {
    // On SQLite the transaction is the only writer, which is lock enough.
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
        // It fills from now on, rather than from when the clock has come so far again.
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

/// What a limit over all processes keeps a due job waiting for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum HeldBack {
    /// As many jobs of the queue run as may.
    Full { running: i64, limit: i64 },
    /// The bucket holds less than one token.
    Slow { per_second: f64, next: Timestamp },
}

/// Whether a limit of `queue` lets nothing start at `now`. Only looks: one probe of `queues`, and as many rows of index
/// jobs_running as the limit allows.
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
        // A wait that is too long to be a duration is as good as none that ends.
        next: now + Duration::try_from_secs_f64(missing / per_second).unwrap_or(Duration::MAX),
    }))
}

/// Takes `count` tokens out of the bucket of a queue locked by [`allowance`].
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

/// What the bucket holds now; a bucket never used is full.
#[expect(clippy::cast_precision_loss, reason = "bursts are small numbers")]
fn tokens(bucket: &Bucket, now: Timestamp) -> f64 {
    let full = bucket.burst as f64;
    let rate = bucket.rate_per_second.unwrap_or(0.0);
    bucket.tokens_at.map_or(full, |at| (bucket.tokens + now.since(at).as_secs_f64() * rate).min(full))
}
