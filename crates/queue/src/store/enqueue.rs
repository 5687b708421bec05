//! Inserts new jobs, any number in one statement.
//!
//! Unique indexes prevent duplicates, without locks: a duplicate is not inserted, and the result names the existing
//! job. A duplicate never makes a batch fail.

use nightshift_db::rows::Columns;
use nightshift_db::{Db, Engine, Part, Query, Result, RowsStatement, Timestamp, Tx, columns, new_id};

use crate::job::{Enqueued, Mode, NewJob};

/// A job to insert, with its new id and the time of the enqueue.
struct NewRow<'r> {
    id: &'r str,
    job: &'r NewJob,
    now: Timestamp,
}

columns! {
    /// The columns of a new job.
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

/// The insert, with a condition on the new rows. It skips rows whose dedup or once key exists already.
macro_rules! insert {
    ($condition:literal) => {
        concat!(
            "INSERT INTO jobs ({columns}, waiting, created_at, updated_at)
             SELECT {columns}, run_at > $1, $1, $1 FROM {rows} AS new WHERE ",
            $condition,
            " ON CONFLICT DO NOTHING RETURNING id"
        )
    };
}

static INSERT: RowsStatement<NewColumns> = RowsStatement::new(1, insert!("TRUE"));

/// Inserts the jobs whose cause is stored by the statement around it.
static INSERT_CAUSED: RowsStatement<NewColumns> =
    RowsStatement::new(1, insert!("id IN (SELECT job FROM {causes} JOIN stored ON stored.id = cause)"));

/// The job of which a new one is a duplicate. Two probes of unique indexes.
const FIND_DUPLICATE: &str = "
SELECT id FROM jobs WHERE dedup_key = $1 AND dedup_key IS NOT NULL AND state IN ('queued', 'running', 'retrying')
UNION ALL
SELECT id FROM jobs WHERE once_key = $2 AND once_key IS NOT NULL
LIMIT 1";

/// How often to retry an insert that met a duplicate which was gone before it could be read.
const DUPLICATE_TRIES: usize = 5;

/// Returns the ids of new jobs.
fn ids_of(jobs: &[NewJob], now: Timestamp) -> Vec<String> {
    jobs.iter().map(|job| job.id.clone().unwrap_or_else(|| new_id(now))).collect()
}

pub(crate) async fn insert(tx: &mut Tx, jobs: &[NewJob], now: Timestamp) -> Result<Vec<Enqueued>> {
    let ids = ids_of(jobs, now);
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
            find_duplicate_or_insert(tx, id, job, now).await?
        });
    }
    Ok(enqueued)
}

/// As [`insert`], in a transaction of its own, for jobs without keys: one round trip.
pub(crate) async fn insert_alone(db: &Db, jobs: &[NewJob], now: Timestamp) -> Result<Vec<Enqueued>> {
    let ids = ids_of(jobs, now);
    insertion(|sql| db.write(sql), db.engine(), &ids, jobs, now).execute().await?;
    Ok(ids.into_iter().map(|id| Enqueued::Created { id }).collect())
}

async fn find_duplicate_or_insert(tx: &mut Tx, id: String, job: &NewJob, now: Timestamp) -> Result<Enqueued> {
    for _ in 0..DUPLICATE_TRIES {
        let duplicate: Option<(String,)> =
            tx.query(FIND_DUPLICATE).bind(&job.keys.dedup).bind(&job.keys.once).optional().await?;
        if let Some((id,)) = duplicate {
            return Ok(Enqueued::Existing { id });
        }
        // The duplicate has finished meanwhile, so its dedup key is free.
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

/// New jobs that a statement inserts together with the rows that cause them. Each is inserted if its cause is.
pub struct CausedJobs {
    ids: Vec<String>,
    causes: Vec<String>,
    jobs: Vec<NewJob>,
}

impl CausedJobs {
    /// Creates the rows of jobs, each of which is preceded by the id of its cause. `now` is for their ids only: a job
    /// without a time is due at the time of the statement around it.
    pub(crate) fn new(caused: Vec<(String, NewJob)>, now: Timestamp) -> Self {
        let (causes, jobs): (Vec<_>, Vec<_>) = caused.into_iter().unzip();
        Self { ids: ids_of(&jobs, now), causes, jobs }
    }

    /// Returns each job with its cause.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &NewJob)> {
        self.causes.iter().map(String::as_str).zip(&self.jobs)
    }
}

impl Part for CausedJobs {
    fn text(&self, first: usize) -> String {
        let jobs = first + NewColumns::COLUMNS.len();
        let causes = format!("unnest(${jobs}::text[], ${}::text[]) AS causes (job, cause)", jobs + 1);
        format!("caused AS ({})", INSERT_CAUSED.part(first).replace("{causes}", &causes))
    }

    fn bind<'c>(&self, query: Query<'c>, now: Timestamp) -> Query<'c> {
        INSERT_CAUSED
            .bind_rows(query, &rows(&self.ids, &self.jobs, now))
            .bind_array(self.ids.as_slice())
            .bind_array(self.causes.as_slice())
    }
}

fn rows<'r>(ids: &'r [String], jobs: &'r [NewJob], now: Timestamp) -> Vec<NewRow<'r>> {
    ids.iter().zip(jobs).map(|(id, job)| NewRow { id, job, now }).collect()
}

/// Builds the insert with its parameters.
fn insertion<'c>(
    query: impl FnOnce(&'static str) -> Query<'c>,
    engine: Engine,
    ids: &[String],
    jobs: &[NewJob],
    now: Timestamp,
) -> Query<'c> {
    INSERT.bind_rows(query(INSERT.sql(engine)).bind(now), &rows(ids, jobs, now))
}
