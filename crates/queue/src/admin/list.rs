//! Lists of jobs and single jobs.

use nightshift_db::{Order, Result, Timestamp, lowest_id};
use serde::Serialize;
use sqlx::FromRow;

use crate::store::lifecycle::State;
use crate::store::queue::Queue;

/// Conditions for a list of jobs. A field that is `None` adds no condition.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Name of the queue.
    pub queue: Option<String>,
    /// The kind.
    pub kind: Option<String>,
    /// The state.
    pub state: Option<State>,
    /// The organisation's id.
    pub org_id: Option<String>,
    /// Stored text of the last error's class, such as `transient`.
    pub error_class: Option<String>,
    /// Text that the last error contains, ignoring case.
    pub error: Option<String>,
    /// Created at or after this time.
    pub since: Option<Timestamp>,
    /// Created before this time.
    pub until: Option<Timestamp>,
    /// The correlation id.
    pub correlation_id: Option<String>,
    /// The deduplication key.
    pub dedup_key: Option<String>,
}

nightshift_db::row! {
    columns = job_columns $;
    /// A job in a list.
    #[derive(Debug, Clone, PartialEq, FromRow, Serialize)]
    #[serde(rename_all = "camelCase")]
    pub struct JobRow {
        /// The job's id.
        pub id: String,
        /// Name of its queue.
        pub queue: String,
        /// Its kind.
        pub kind: String,
        /// Its organisation. `None` if it belongs to none.
        pub org_id: Option<String>,
        /// Its state.
        #[sqlx(try_from = "String")]
        pub state: State,
        /// From 0 (first) to 9 (last).
        pub priority: i64,
        /// Number of attempts that count; see [`Life::attempts`](crate::lifecycle::Life::attempts).
        pub attempts: i64,
        /// Number of failed attempts after which it is dead.
        pub max_attempts: i64,
        /// Number of lost leases.
        pub crashes: i64,
        /// Number of polls.
        pub polls: i64,
        /// Time before which it is not claimed.
        pub run_at: Timestamp,
        /// Why it is parked. `None` if it is not.
        pub parked_reason: Option<String>,
        /// Deduplication key, unique among unfinished jobs.
        pub dedup_key: Option<String>,
        /// Once key, unique among all jobs.
        pub once_key: Option<String>,
        /// Group key.
        pub group_key: Option<String>,
        /// Whether the order of its group is strict.
        pub group_strict: bool,
        /// Whether an operator has requested to cancel it.
        pub cancel_requested: bool,
        /// The latest error. `None` if no attempt has failed.
        pub last_error: Option<String>,
        /// Class of the latest error.
        pub last_error_class: Option<String>,
        /// Whether its external effects are real. `None` if it has no mode.
        pub mode: Option<String>,
        /// Connects it with the request, webhook or booking that caused it.
        pub correlation_id: Option<String>,
        /// The job that enqueued it.
        pub parent_job_id: Option<String>,
        /// Time of the enqueue.
        pub created_at: Timestamp,
        /// Start of the latest attempt. `None` if it was never claimed.
        pub started_at: Option<Timestamp>,
        /// Time at which it ended. `None` while it is unfinished.
        pub finished_at: Option<Timestamp>,
        /// Duration of the latest attempt in milliseconds.
        pub duration_ms: Option<i64>,
    }
}

impl JobRow {
    /// Returns the latest error, or a text that there is none.
    pub(super) fn error_text(&self) -> &str {
        self.last_error.as_deref().unwrap_or("no error is recorded")
    }
}

/// One page of a list, newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The jobs of this page.
    pub jobs: Vec<JobRow>,
    /// The value of `after` for the next page. `None` on the last page.
    pub next: Option<String>,
}

/// Newest first. Ids begin with the time of creation, so the primary key serves this order.
const NEWEST: Order = Order::descending(&["id"]);

const LIST: &str = concat!("SELECT ", job_columns!(""), " FROM jobs");
const ONE: &str = concat!("SELECT ", job_columns!(""), " FROM jobs WHERE id = $1");

impl Queue {
    /// Returns the jobs that match, newest first, at most `limit`, and only those older than the id `after`.
    pub async fn list(&self, filter: &Filter, after: Option<&str>, limit: i64) -> Result<Page> {
        // Wildcards of LIKE in the text are escaped, so that they match literally.
        let error = filter.error.as_ref().map(|text| {
            let literal = text.to_lowercase().replace('!', "!!").replace('%', "!%").replace('_', "!_");
            format!("%{literal}%")
        });
        let mut list = self.db().select(LIST);
        list = match filter.state {
            // Dead jobs are few and have an index of their own. A correlation id matches still fewer jobs, by its own
            // index.
            Some(State::Dead) if filter.correlation_id.is_none() => {
                list.only("id IN (SELECT id FROM jobs WHERE state = 'dead')", ())
            }
            state => list.filter("state = $1", state.map(State::as_str)),
        };
        let mut jobs: Vec<JobRow> = list
            .filter("queue = $1", filter.queue.as_ref())
            .filter("kind = $1", filter.kind.as_ref())
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

    /// Returns the job `id` without its details, or `None` if there is no such job.
    pub async fn job(&self, id: &str) -> Result<Option<JobRow>> {
        self.db().read(ONE).bind(id).optional().await
    }
}
