//! Writing new jobs: one statement for however many.
//!
//! Twins are kept out by unique indexes, never by locks: a row that meets one is left out, and the job that already
//! stands is named in the answer. A duplicate never fails a batch.

use nightshift_db::{Db, Engine, Query, Result, RowsStatement, Timestamp, Tx, columns, new_id, sabotage};

use crate::job::Mode;
use crate::queue::EnqueueError;
use crate::{Job, JobInfo};

/// Largest payload, in bytes of JSON.
pub const PAYLOAD_BYTES_MAX: usize = 64 * 1024;

/// A job to be enqueued, with everything its kind says already filled in.
#[derive(Debug, Clone)]
pub struct NewJob {
    kind: &'static str,
    queue: String,
    payload: String,
    payload_version: i64,
    priority: i64,
    max_attempts: i64,
    keys: crate::Keys,
    pub(crate) run_at: Option<Timestamp>,
    org_id: Option<String>,
    correlation_id: Option<String>,
    parent_job_id: Option<String>,
    traceparent: Option<String>,
    mode: Option<Mode>,
}

impl NewJob {
    /// A job as its kind says.
    ///
    /// # Errors
    /// [`EnqueueError::Payload`] when it can't be written as JSON or is too large.
    pub fn of<J: Job>(job: &J) -> Result<Self, EnqueueError> {
        let bad = |why: String| EnqueueError::Payload { kind: J::KIND, why };
        let payload = serde_json::to_string(job).map_err(|error| bad(error.to_string()))?;
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Err(bad(format!("has {} bytes, at most {PAYLOAD_BYTES_MAX} are allowed", payload.len())));
        }
        Ok(Self {
            kind: J::KIND,
            queue: J::QUEUE.to_owned(),
            payload,
            payload_version: J::VERSION,
            priority: J::PRIORITY,
            max_attempts: J::policy().max_attempts,
            keys: match job.keys() {
                keys if sabotage::is("dedup_skipped") => crate::Keys { dedup: None, ..keys },
                keys if sabotage::is("once_skipped") => crate::Keys { once: None, ..keys },
                keys if sabotage::is("groups_forgotten") => crate::Keys { group: None, ..keys },
                keys => keys,
            },
            run_at: None,
            org_id: None,
            correlation_id: None,
            parent_job_id: None,
            traceparent: None,
            mode: None,
        })
    }

    /// Whether another job may keep it out.
    pub(crate) fn may_have_twin(&self) -> bool {
        self.keys.dedup.is_some() || self.keys.once.is_some()
    }

    /// Not before `at`.
    #[must_use]
    pub fn run_at(mut self, at: Timestamp) -> Self {
        self.run_at = Some(at);
        self
    }

    /// 0 first, 9 last.
    #[must_use]
    pub fn priority(mut self, priority: i64) -> Self {
        self.priority = priority.clamp(0, 9);
        self
    }

    /// Keys for this job instead of those its kind gives it.
    #[must_use]
    pub fn keys(mut self, keys: crate::Keys) -> Self {
        self.keys = keys;
        self
    }

    /// Runs it in another pool than its kind's.
    #[must_use]
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.queue = queue.into();
        self
    }

    /// The organisation it belongs to.
    #[must_use]
    pub fn org(mut self, org_id: impl Into<String>) -> Self {
        self.org_id = Some(org_id.into());
        self
    }

    /// Ties it to a request, webhook or booking.
    #[must_use]
    pub fn correlation(mut self, id: impl Into<String>) -> Self {
        self.correlation_id = Some(id.into());
        self
    }

    /// W3C trace context of what caused it.
    #[must_use]
    pub fn traceparent(mut self, traceparent: impl Into<String>) -> Self {
        self.traceparent = Some(traceparent.into());
        self
    }

    /// Whether its outside effects are real.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = Some(mode);
        self
    }

    /// Its effects are of a kind of their own: whether those of its cause are real says nothing about them.
    #[must_use]
    pub fn without_mode(mut self) -> Self {
        self.mode = None;
        self
    }

    /// Caused by `job`, whose organisation, correlation, trace and mode it takes over where it has none of its own.
    #[must_use]
    pub fn caused_by(mut self, job: &JobInfo) -> Self {
        self.parent_job_id = Some(job.id.clone());
        self.org_id = self.org_id.or_else(|| job.org_id.clone());
        self.correlation_id = self.correlation_id.or_else(|| job.correlation_id.clone());
        self.traceparent = self.traceparent.or_else(|| job.traceparent.clone());
        self.mode = self.mode.or(job.mode);
        self
    }
}

/// What became of an enqueue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Enqueued {
    /// A new job.
    Created {
        /// Its id.
        id: String,
    },
    /// One with the same key stands already.
    Existing {
        /// Its id.
        id: String,
    },
}

impl Enqueued {
    /// The job that stands for the request now.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Created { id } | Self::Existing { id } => id,
        }
    }

    /// Whether this call made it.
    #[must_use]
    pub fn is_created(&self) -> bool {
        matches!(self, Self::Created { .. })
    }
}

/// A job with its new id, about to be written; the time is that of the enqueue.
struct NewRow<'r> {
    id: &'r str,
    job: &'r NewJob,
    now: Timestamp,
}

columns! {
    /// What is written of a new job.
    struct NewColumns(new: NewRow<'r>, 'r) {
        id: text = new.id,
        queue: text = new.job.queue.as_str(),
        kind: text = new.job.kind,
        org_id: text = new.job.org_id.as_deref(),
        payload: json = new.job.payload.as_str(),
        payload_version: bigint = new.job.payload_version,
        priority: bigint = new.job.priority,
        run_at: timestamptz = new.job.run_at.unwrap_or(new.now),
        dedup_key: text = new.job.keys.dedup.as_deref(),
        once_key: text = new.job.keys.once.as_deref(),
        group_key: text = new.job.keys.group.as_deref(),
        group_strict: boolean = new.job.keys.strict,
        max_attempts: bigint = new.job.max_attempts,
        mode: text = new.job.mode.map(Mode::as_str),
        correlation_id: text = new.job.correlation_id.as_deref(),
        parent_job_id: text = new.job.parent_job_id.as_deref(),
        traceparent: text = new.job.traceparent.as_deref(),
    }
}

/// Rows that meet a dedup or once key are left out.
static INSERT: RowsStatement<NewColumns> = RowsStatement::new(
    1,
    "INSERT INTO jobs ({columns}, waiting, created_at, updated_at)
     SELECT {columns}, run_at > $1, $1, $1 FROM {rows} AS new WHERE TRUE
     ON CONFLICT DO NOTHING
     RETURNING id",
);

/// The job that keeps a new one out. Two probes of unique indexes.
const FIND_TWIN: &str = "
SELECT id FROM jobs WHERE dedup_key = $1 AND dedup_key IS NOT NULL AND state IN ('queued', 'running', 'retrying')
UNION ALL
SELECT id FROM jobs WHERE once_key = $2 AND once_key IS NOT NULL
LIMIT 1";

/// Times a twin may vanish between the insert that met it and the look-up before we give up on the database.
const TWIN_TRIES: usize = 5;

pub(crate) async fn insert(tx: &mut Tx, jobs: &[NewJob], now: Timestamp) -> Result<Vec<Enqueued>> {
    let ids: Vec<String> = jobs.iter().map(|_| new_id(now)).collect();
    let mut created = insert_rows(tx, &ids, jobs, now).await?;
    if created.len() == jobs.len() {
        return Ok(ids.into_iter().map(|id| Enqueued::Created { id }).collect());
    }
    created.sort_unstable();
    let mut enqueued = Vec::with_capacity(jobs.len());
    for (id, job) in ids.into_iter().zip(jobs) {
        enqueued.push(if created.binary_search(&id).is_ok() {
            Enqueued::Created { id }
        } else {
            find_twin_or_insert(tx, id, job, now).await?
        });
    }
    Ok(enqueued)
}

/// As [`insert`], as a transaction of its own, for jobs none of which has a twin: one way to the database.
pub(crate) async fn insert_alone(db: &Db, jobs: &[NewJob], now: Timestamp) -> Result<Vec<Enqueued>> {
    let ids: Vec<String> = jobs.iter().map(|_| new_id(now)).collect();
    insertion(|sql| db.write(sql), db.engine(), &ids, jobs, now).execute().await?;
    Ok(ids.into_iter().map(|id| Enqueued::Created { id }).collect())
}

async fn find_twin_or_insert(tx: &mut Tx, id: String, job: &NewJob, now: Timestamp) -> Result<Enqueued> {
    for _ in 0..TWIN_TRIES {
        let twin: Option<(String,)> = tx.query(FIND_TWIN).bind(&job.keys.dedup).bind(&job.keys.once).optional().await?;
        if let Some((id,)) = twin {
            return Ok(Enqueued::Existing { id });
        }
        // The twin finished in the meantime, so its dedup key is free.
        let ids = [id.clone()];
        if !insert_rows(tx, &ids, std::slice::from_ref(job), now).await?.is_empty() {
            return Ok(Enqueued::Created { id });
        }
    }
    Err(nightshift_db::DbError::NotFound)
}

async fn insert_rows(tx: &mut Tx, ids: &[String], jobs: &[NewJob], now: Timestamp) -> Result<Vec<String>> {
    let engine = tx.engine();
    let rows: Vec<(String,)> = insertion(|sql| tx.query(sql), engine, ids, jobs, now).all().await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// The statement with its parameters.
fn insertion<'c>(
    query: impl FnOnce(&'static str) -> Query<'c>,
    engine: Engine,
    ids: &[String],
    jobs: &[NewJob],
    now: Timestamp,
) -> Query<'c> {
    let rows: Vec<NewRow<'_>> = ids.iter().zip(jobs).map(|(id, job)| NewRow { id, job, now }).collect();
    INSERT.bind_rows(query(INSERT.sql(engine)).bind(now), &rows)
}
