//! Lists and single jobs.

use nightshift_db::{Order, Result, Timestamp, lowest_id};
use serde::Serialize;
use sqlx::FromRow;

use crate::store::lifecycle::State;
use crate::store::queue::Queue;

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

impl JobRow {
    /// The latest error, or words that say that there is none.
    pub(super) fn error_text(&self) -> &str {
        self.last_error.as_deref().unwrap_or("no error is recorded")
    }
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
        let mut list = self.db().select(LIST);
        list = match filter.state {
            // Few, in an index of their own. A correlation leaves still fewer, by its index.
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

    /// The job `id` without its details, if there is one.
    ///
    /// # Errors
    /// A database error.
    pub async fn job(&self, id: &str) -> Result<Option<JobRow>> {
        self.db().read(ONE).bind(id).optional().await
    }
}
