//! Claims due jobs under a lease.
//!
//! One statement claims for all queues with free slots, ordered by priority, then due time, then age. It skips paused
//! queues, kinds that this process has no handler for, and jobs of a group in which another job is running or an older
//! one goes first. Queues with a concurrency or rate limit are claimed one by one, under a lock on the queue's row; all
//! other claims lock only the claimed rows.

use nightshift_db::{Db, Engine, Json, Query, Result, Timestamp, Tx};
use serde_json::json;

use crate::job::{JobInfo, Mode};
use crate::store::control;
use crate::store::lifecycle::{Life, State};

/// The number of jobs of a queue that this process can take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Want {
    pub queue: String,
    pub slots: usize,
}

/// The parameters of a claim that are the same for all queues.
#[derive(Debug, Clone)]
pub(crate) struct Claim<'a> {
    pub worker_id: &'a str,
    pub lease_id: &'a str,
    pub leased_until: Timestamp,
    pub kinds: &'a [&'static str],
    pub now: Timestamp,
}

/// A claimed job as stored in the database.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Claimed {
    pub id: String,
    pub queue: String,
    pub kind: String,
    pub org_id: Option<String>,
    pub payload: String,
    pub payload_version: i64,
    pub priority: i64,
    pub run_at: Timestamp,
    pub group_key: Option<String>,
    pub attempts: i64,
    pub max_attempts: i64,
    pub crashes: i64,
    pub polls: i64,
    pub poll_deadline: Option<Timestamp>,
    pub cancel_requested: bool,
    pub mode: Option<String>,
    pub correlation_id: Option<String>,
    pub parent_job_id: Option<String>,
    pub traceparent: Option<String>,
    pub created_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub lease_id: String,
}

impl Claimed {
    pub(crate) fn life(&self) -> Life {
        Life {
            state: State::Running,
            attempts: self.attempts,
            max_attempts: self.max_attempts,
            crashes: self.crashes,
            polls: self.polls,
            run_at: self.run_at,
            poll_deadline: self.poll_deadline,
            cancel_requested: self.cancel_requested,
            parked: false,
        }
    }

    /// Returns what its handler and hooks learn about the job.
    pub(crate) fn info(&self) -> JobInfo {
        JobInfo {
            id: self.id.clone(),
            queue: self.queue.clone(),
            kind: self.kind.clone(),
            org_id: self.org_id.clone(),
            attempt: self.attempts + 1,
            max_attempts: self.max_attempts,
            polls: self.polls,
            poll_deadline: self.poll_deadline,
            run_at: self.run_at,
            created_at: self.created_at,
            correlation_id: self.correlation_id.clone(),
            parent_job_id: self.parent_job_id.clone(),
            traceparent: self.traceparent.clone(),
            mode: self.mode.as_deref().and_then(Mode::parse),
        }
    }
}

/// Reads one range of index jobs_ready per queue, as many rows as there are slots, and probes jobs_group once per
/// grouped row.
const CLAIM_POSTGRES: &str = "
WITH picked AS MATERIALIZED (
  SELECT job.id
  FROM unnest($1::text[], $2::bigint[]) AS want (queue, slots)
  LEFT JOIN queues ON queues.name = want.queue
  CROSS JOIN LATERAL (
    SELECT jobs.id FROM jobs
    WHERE jobs.queue = want.queue AND jobs.state IN ('queued', 'retrying') AND NOT jobs.waiting
      AND jobs.kind = ANY ($3)
      AND (jobs.group_key IS NULL OR NOT EXISTS (
        SELECT 1 FROM jobs AS other
        WHERE other.group_key = jobs.group_key AND other.id <> jobs.id AND other.parked_reason IS NULL
          AND other.state IN ('queued', 'running', 'retrying')
          AND (other.state = 'running' OR (other.id < jobs.id AND (other.group_strict OR NOT other.waiting)))))
    ORDER BY jobs.priority, jobs.run_at, jobs.id
    LIMIT want.slots
    FOR UPDATE OF jobs SKIP LOCKED) AS job
  WHERE queues.paused IS NOT TRUE)
UPDATE jobs
SET state = 'running', worker_id = $4, lease_id = $5, leased_until = $6, started_at = $7, updated_at = $7
FROM picked WHERE jobs.id = picked.id
RETURNING jobs.id, queue, kind, org_id, payload::text, payload_version, priority, run_at, group_key, attempts,
  max_attempts, crashes, polls, poll_deadline, cancel_requested, mode, correlation_id, parent_job_id, traceparent,
  created_at, started_at, lease_id";

/// The wanted queues that have due jobs. One probe each, and no write lock.
const READY_QUEUES_SQLITE: &str = "
SELECT want.value FROM json_each($1) AS want
WHERE EXISTS (SELECT 1 FROM jobs WHERE queue = want.value AND state IN ('queued', 'retrying') AND NOT waiting)
  AND NOT EXISTS (SELECT 1 FROM queues WHERE name = want.value AND paused)";

/// As [`CLAIM_POSTGRES`], for one queue. The transaction is the only writer, so no rows need to be locked or skipped.
const CLAIM_SQLITE: &str = "
UPDATE jobs
SET state = 'running', worker_id = $4, lease_id = $5, leased_until = $6, started_at = $7, updated_at = $7
WHERE id IN (
  SELECT job.id FROM jobs AS job
  WHERE job.queue = $1 AND job.state IN ('queued', 'retrying') AND NOT job.waiting
    AND job.kind IN (SELECT value FROM json_each($3))
    AND (job.group_key IS NULL OR NOT EXISTS (
      SELECT 1 FROM jobs AS other
      WHERE other.group_key = job.group_key AND other.id <> job.id AND other.parked_reason IS NULL
        AND other.state IN ('queued', 'running', 'retrying')
        AND (other.state = 'running' OR (other.id < job.id AND (other.group_strict OR NOT other.waiting)))))
    AND NOT EXISTS (SELECT 1 FROM queues WHERE name = $1 AND paused)
  ORDER BY job.priority, job.run_at, job.id
  LIMIT $2)
RETURNING id, queue, kind, org_id, payload, payload_version, priority, run_at, group_key, attempts,
  max_attempts, crashes, polls, poll_deadline, cancel_requested, mode, correlation_id, parent_job_id, traceparent,
  created_at, started_at, lease_id";

/// The result of a round of claims.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub jobs: Vec<Claimed>,
    /// Whether the limit of a queue may have kept due jobs from being claimed.
    pub held_back: bool,
}

/// Claims jobs for all of `wants`. `limited` names the queues that have a concurrency or rate limit.
pub(crate) async fn claim(db: &Db, wants: &[Want], limited: &[String], claim: &Claim<'_>) -> Result<Taken> {
    let (bounded, free): (Vec<Want>, Vec<Want>) = wants.iter().cloned().partition(|want| limited.contains(&want.queue));
    let mut taken = Taken::default();
    if !free.is_empty() {
        taken.jobs = claim_free(db, &free, claim).await?;
    }
    for want in &bounded {
        let mut tx = db.begin().await?;
        let slots = control::allowance(&mut tx, &want.queue, want.slots, claim.now).await?;
        let allowed = Want { queue: want.queue.clone(), slots };
        let jobs = if slots > 0 { claim_in(&mut tx, &allowed, claim).await? } else { Vec::new() };
        control::spend(&mut tx, &want.queue, jobs.len(), claim.now).await?;
        tx.commit().await?;
        taken.held_back |= slots < want.slots && jobs.len() == slots;
        taken.jobs.extend(jobs);
    }
    taken.jobs.sort_unstable_by(|a, b| (a.priority, a.run_at, &a.id).cmp(&(b.priority, b.run_at, &b.id)));
    Ok(taken)
}

async fn claim_free(db: &Db, wants: &[Want], claim: &Claim<'_>) -> Result<Vec<Claimed>> {
    if db.engine() == Engine::Postgres {
        return postgres_claim(db.write(CLAIM_POSTGRES), wants, claim).all().await;
    }
    let names: Vec<&str> = wants.iter().map(|want| want.queue.as_str()).collect();
    let ready: Vec<(String,)> = db.read(READY_QUEUES_SQLITE).bind(json!(names).to_string()).all().await?;
    let mut ready = wants.iter().filter(|want| ready.iter().any(|(queue,)| *queue == want.queue));
    let (Some(first), second) = (ready.next(), ready.next()) else { return Ok(Vec::new()) };
    let Some(second) = second else {
        // A single statement is its own transaction: one round trip instead of three.
        return sqlite_claim(db.write(CLAIM_SQLITE), first, claim).all().await;
    };
    let mut tx = db.begin().await?;
    let mut claimed = Vec::new();
    for want in [first, second].into_iter().chain(ready) {
        claimed.extend(claim_in(&mut tx, want, claim).await?);
    }
    tx.commit().await?;
    Ok(claimed)
}

async fn claim_in(tx: &mut Tx, want: &Want, claim: &Claim<'_>) -> Result<Vec<Claimed>> {
    match tx.engine() {
        Engine::Postgres => postgres_claim(tx.query(CLAIM_POSTGRES), std::slice::from_ref(want), claim).all().await,
        Engine::Sqlite => sqlite_claim(tx.query(CLAIM_SQLITE), want, claim).all().await,
    }
}

/// Binds the parameters of [`CLAIM_POSTGRES`].
fn postgres_claim<'c>(query: Query<'c>, wants: &[Want], claim: &Claim<'_>) -> Query<'c> {
    let queues: Vec<&str> = wants.iter().map(|want| want.queue.as_str()).collect();
    let slots: Vec<i64> = wants.iter().map(|want| i64::try_from(want.slots).unwrap_or(i64::MAX)).collect();
    bind_claim(query.bind_array(queues).bind_array(slots).bind_array(claim.kinds), claim)
}

/// Binds the parameters of [`CLAIM_SQLITE`].
fn sqlite_claim<'c>(query: Query<'c>, want: &Want, claim: &Claim<'_>) -> Query<'c> {
    let slots = i64::try_from(want.slots).unwrap_or(i64::MAX);
    bind_claim(query.bind(&want.queue).bind(slots).bind(json!(claim.kinds).to_string()), claim)
}

/// Binds the last parameters, which both statements share.
fn bind_claim<'c>(query: Query<'c>, claim: &Claim<'_>) -> Query<'c> {
    query.bind(claim.worker_id).bind(claim.lease_id).bind(claim.leased_until).bind(claim.now)
}

/// Maximum number of jobs promoted in one statement. The next round promotes the rest.
const PROMOTE_MAX: i64 = 2_000;

/// Reads a range of index jobs_waiting.
const PROMOTE_POSTGRES: &str = "
UPDATE jobs SET waiting = FALSE WHERE id IN (
  SELECT id FROM jobs
  WHERE state IN ('queued', 'retrying') AND waiting AND parked_reason IS NULL AND run_at <= $1
  ORDER BY run_at LIMIT $2 FOR UPDATE SKIP LOCKED)";

const PROMOTE_SQLITE: &str = "
UPDATE jobs SET waiting = FALSE WHERE id IN (
  SELECT id FROM jobs
  WHERE state IN ('queued', 'retrying') AND waiting AND parked_reason IS NULL AND run_at <= $1
  ORDER BY run_at LIMIT $2)";

/// The result of [`promote_due`].
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Promoted {
    /// Whether it has marked any job.
    pub any: bool,
    /// Whether there may be more.
    pub more: bool,
}

/// Marks jobs that have become due as claimable.
pub(crate) async fn promote_due(db: &Db, now: Timestamp) -> Result<Promoted> {
    let sql = if db.engine() == Engine::Postgres { PROMOTE_POSTGRES } else { PROMOTE_SQLITE };
    let promoted = db.write(sql).bind(now).bind(PROMOTE_MAX).execute().await?;
    Ok(Promoted { any: promoted > 0, more: promoted == PROMOTE_MAX.unsigned_abs() })
}

/// Returns when the next waiting job becomes due, `None` if no job waits. Reads the first entry of index jobs_waiting.
pub(crate) async fn next_due(db: &Db) -> Result<Option<Timestamp>> {
    db.read(
        "SELECT min(run_at) FROM jobs
         WHERE state IN ('queued', 'retrying') AND waiting AND parked_reason IS NULL",
    )
    .scalar()
    .await
}

/// What a dispatcher must know before it claims.
#[derive(Debug, Default)]
pub(crate) struct Outlook {
    /// The result of [`next_due`].
    pub next_due: Option<Timestamp>,
    /// The queues that have a concurrency or rate limit.
    pub limited: Vec<String>,
}

impl Outlook {
    /// Reads everything in one statement, because idle processes run it every few seconds.
    pub(crate) async fn read(db: &Db) -> Result<Self> {
        let rows: Vec<(Option<Timestamp>, Option<String>)> = db
            .read(
                "SELECT min(run_at) AS due, NULL AS limited FROM jobs
                 WHERE state IN ('queued', 'retrying') AND waiting AND parked_reason IS NULL
                 UNION ALL
                 SELECT NULL, name FROM queues WHERE concurrency IS NOT NULL OR rate_per_second IS NOT NULL",
            )
            .all()
            .await?;
        let next_due = rows.iter().find_map(|(due, _)| *due);
        Ok(Self { next_due, limited: rows.into_iter().filter_map(|(_, name)| name).collect() })
    }
}

/// Releases the parked jobs of these kinds, which an older program could not read. Returns their number.
pub(crate) async fn unpark(db: &Db, kinds: &[&'static str], now: Timestamp) -> Result<u64> {
    let sql = if db.engine() == Engine::Postgres {
        "UPDATE jobs SET parked_reason = NULL, waiting = FALSE, updated_at = $2
         WHERE parked_reason IS NOT NULL AND kind IN (SELECT jsonb_array_elements_text($1))"
    } else {
        "UPDATE jobs SET parked_reason = NULL, waiting = FALSE, updated_at = $2
         WHERE parked_reason IS NOT NULL AND kind IN (SELECT value FROM json_each($1))"
    };
    db.write(sql).bind(Json(kinds)).bind(now).execute().await
}
