//! Lists and single jobs.

use nightshift_db::{Order, Result, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::FromRow;

use crate::Queue;
use crate::lifecycle::State;

/// Which jobs; what is not set does not narrow.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// By queue.
    pub queue: Option<String>,
    /// By kind.
    pub kind: Option<String>,
    /// By state.
    pub state: Option<State>,
    /// By organisation.
    pub org_id: Option<String>,
    /// By class of the last error, as stored.
    pub error_class: Option<String>,
    /// Text in the last error, ignoring case.
    pub error: Option<String>,
    /// Created at or after.
    pub since: Option<Timestamp>,
    /// Created before.
    pub until: Option<Timestamp>,
    /// By correlation id.
    pub correlation_id: Option<String>,
    /// By dedup key.
    pub dedup_key: Option<String>,
}

nightshift_db::row! {
    columns = job_columns $;
    /// A job in a list.
    #[derive(Debug, Clone, PartialEq, FromRow, Serialize)]
    #[serde(rename_all = "camelCase")]
    pub struct JobRow {
        /// Its id.
        pub id: String,
        /// Its pool.
        pub queue: String,
        /// Its kind.
        pub kind: String,
        /// Its organisation.
        pub org_id: Option<String>,
        /// Where it stands.
        #[sqlx(try_from = "String")]
        pub state: State,
        /// 0 first.
        pub priority: i64,
        /// Ended attempts.
        pub attempts: i64,
        /// Failures after which it is dead.
        pub max_attempts: i64,
        /// Leases lost.
        pub crashes: i64,
        /// Times it asked to be called again.
        pub polls: i64,
        /// Not before.
        pub run_at: Timestamp,
        /// Why it is parked, if it is.
        pub parked_reason: Option<String>,
        /// Unique while unfinished.
        pub dedup_key: Option<String>,
        /// Unique for ever.
        pub once_key: Option<String>,
        /// Its group.
        pub group_key: Option<String>,
        /// Whether its group is kept strictly in order.
        pub group_strict: bool,
        /// Whether a person wants it ended.
        pub cancel_requested: bool,
        /// The latest error.
        pub last_error: Option<String>,
        /// Its class.
        pub last_error_class: Option<String>,
        /// Whether its outside effects are real.
        pub mode: Option<String>,
        /// Request, webhook or booking it belongs to.
        pub correlation_id: Option<String>,
        /// The job that caused it.
        pub parent_job_id: Option<String>,
        /// When it was enqueued.
        pub created_at: Timestamp,
        /// When the latest attempt started.
        pub started_at: Option<Timestamp>,
        /// When it ended.
        pub finished_at: Option<Timestamp>,
        /// How long the latest attempt took.
        pub duration_ms: Option<i64>,
    }
}

/// An attempt that did not end in success.
#[derive(Debug, Clone, PartialEq, FromRow, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// Which, from 1.
    pub attempt: i64,
    /// Process that ran it.
    pub worker_id: Option<String>,
    /// Start.
    pub started_at: Timestamp,
    /// End.
    pub ended_at: Timestamp,
    /// Class of the failure, or `cancelled`.
    pub outcome: String,
    /// Its error.
    pub error: Option<String>,
    /// The handler's last notes.
    pub log: Option<String>,
}

/// A finished step.
#[derive(Debug, Clone, PartialEq, FromRow, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StepRow {
    /// Its name.
    pub step: String,
    /// `done` or `skipped`.
    pub status: String,
    /// What it left, as JSON text.
    pub output: String,
    /// When.
    pub finished_at: Timestamp,
}

/// Everything about one job.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobDetail {
    /// The job.
    #[serde(flatten)]
    pub job: JobRow,
    /// Its payload; callers redact it before they show it.
    pub payload: Value,
    /// What it left.
    pub result: Option<Value>,
    /// Its failed attempts, oldest first.
    pub attempt_history: Vec<Attempt>,
    /// Its finished steps.
    pub steps: Vec<StepRow>,
    /// Ids of the jobs it caused.
    pub children: Vec<String>,
    /// Why it stands where it stands, in one sentence.
    pub explanation: String,
}

/// One page of a list, newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The jobs.
    pub jobs: Vec<JobRow>,
    /// Pass it as `after` for the next page.
    pub next: Option<String>,
}

/// Newest first by the primary key, which holds the time: no index is kept for this list alone.
const NEWEST: Order = Order::descending(&["id"]);

const LIST: &str = concat!("SELECT ", job_columns!(""), " FROM jobs");
const ONE: &str = concat!("SELECT ", job_columns!(""), " FROM jobs WHERE id = $1");

impl Queue {
    /// Jobs that match, newest first, at most `limit`, older than the id `after`.
    ///
    /// # Errors
    /// A database error.
    pub async fn list(&self, filter: &Filter, after: Option<&str>, limit: i64) -> Result<Page> {
        // LIKE's own signs in the text are meant literally.
        let error = filter.error.as_ref().map(|text| {
            let literal = text.to_lowercase().replace('!', "!!").replace('%', "!%").replace('_', "!_");
            format!("%{literal}%")
        });
        let mut jobs: Vec<JobRow> = self
            .db()
            .select(LIST)
            .filter("queue = $1", filter.queue.as_ref())
            .filter("kind = $1", filter.kind.as_ref())
            .filter("state = $1", filter.state.map(State::as_str))
            .filter("org_id = $1", filter.org_id.as_ref())
            .filter("last_error_class = $1", filter.error_class.as_ref())
            .filter("lower(last_error) LIKE $1 ESCAPE '!'", error)
            .filter("id >= $1", filter.since.map(lowest_id))
            .filter("id < $1", filter.until.map(lowest_id))
            .filter("correlation_id = $1", filter.correlation_id.as_ref())
            .filter("dedup_key = $1", filter.dedup_key.as_ref())
            .after(NEWEST, after.map(|id| (id,)))
            .ordered(NEWEST, limit + 1)
            .all()
            .await?;
        let more = i64::try_from(jobs.len()).unwrap_or(i64::MAX) > limit;
        jobs.truncate(usize::try_from(limit).unwrap_or(0));
        let next = jobs.last().filter(|_| more).map(|job| job.id.clone());
        Ok(Page { jobs, next })
    }

    /// The job `id` without its details, if there is one.
    ///
    /// # Errors
    /// A database error.
    pub async fn job(&self, id: &str) -> Result<Option<JobRow>> {
        self.db().read(ONE).bind(id).optional().await
    }

    /// Everything about the job `id`, if there is one.
    ///
    /// # Errors
    /// A database error.
    pub async fn detail(&self, id: &str) -> Result<Option<JobDetail>> {
        let Some(job) = self.job(id).await? else { return Ok(None) };
        let db = self.db();
        let (payload, result): (String, Option<String>) = db
            .read("SELECT CAST(payload AS TEXT), CAST(result AS TEXT) FROM jobs WHERE id = $1")
            .bind(id)
            .one()
            .await?;
        let attempt_history = db
            .read(
                "SELECT attempt, worker_id, started_at, ended_at, outcome, error, log FROM job_attempts
                 WHERE job_id = $1 ORDER BY started_at, attempt",
            )
            .bind(id)
            .all()
            .await?;
        let steps = db
            .read(
                "SELECT step, status, CAST(output AS TEXT) AS output, finished_at FROM job_steps
                 WHERE job_id = $1 ORDER BY finished_at, step",
            )
            .bind(id)
            .all()
            .await?;
        let children: Vec<(String,)> =
            db.read("SELECT id FROM jobs WHERE parent_job_id = $1 ORDER BY id LIMIT 200").bind(id).all().await?;
        let result: Option<Value> = result.and_then(|text| serde_json::from_str(&text).ok());
        let explanation = super::explain(self, &job, result.as_ref()).await?;
        Ok(Some(JobDetail {
            job,
            payload: serde_json::from_str(&payload).unwrap_or_else(|_| json!({})),
            result,
            attempt_history,
            steps,
            children: children.into_iter().map(|(id,)| id).collect(),
            explanation,
        }))
    }
}

/// The smallest UUIDv7 of a millisecond: ids from it on were made at or after it.
pub(super) fn lowest_id(at: Timestamp) -> String {
    let ms = u64::try_from(at.unix_ms()).unwrap_or(0);
    let hex = format!("{ms:012x}");
    format!("{}-{}-7000-8000-000000000000", &hex[..8], &hex[8..12])
}
