//! The handle to the queue, with which jobs are enqueued.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use nightshift_db::{BatchWrite, Clock, Db, DbError, Engine, GroupCommit, GroupLimits, Timestamp, Tx};
use tokio::task::AbortHandle;

use crate::job::{EnqueueError, Enqueued, Job, NewJob};
use crate::store::enqueue::{CausedJobs, insert, insert_alone};
use crate::store::lifecycle::State;
use crate::store::wake::Wake;

/// A cheap handle to the queue. Clones share its state.
#[derive(Clone)]
pub struct Queue(Arc<Inner>);

struct Inner {
    db: Db,
    clock: Clock,
    wake: Arc<Wake>,
    group: GroupCommit<EnqueueBatch>,
    announcer: Option<AbortHandle>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(announcer) = &self.announcer {
            announcer.abort();
        }
    }
}

impl Queue {
    /// Creates a handle on a migrated database. Must be called within a Tokio runtime, because it spawns tasks.
    #[must_use]
    pub fn new(db: Db, clock: Clock) -> Self {
        let wake = Wake::new();
        let announcer =
            (db.engine() == Engine::Postgres).then(|| tokio::spawn(wake.clone().announce(db.clone())).abort_handle());
        let batch = EnqueueBatch { clock: clock.clone(), wake: wake.clone() };
        // On PostgreSQL a second transaction fills while the first one waits for the disk. SQLite has one writer.
        let writers = if db.engine() == Engine::Postgres { 2 } else { 1 };
        let group = GroupCommit::start(db.clone(), batch, GroupLimits { writers, ..GroupLimits::default() });
        Self(Arc::new(Inner { db, clock, wake, group, announcer }))
    }

    /// Returns the database that holds the jobs.
    #[must_use]
    pub fn db(&self) -> &Db {
        &self.0.db
    }

    /// Returns the clock that determines the times of jobs.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(crate) fn wake(&self) -> &Arc<Wake> {
        &self.0.wake
    }

    /// Enqueues `job` in `tx`. The job exists if and only if the transaction commits, and workers are woken after the
    /// commit.
    ///
    /// # Errors
    /// [`EnqueueError`]. A duplicate is no error but [`Enqueued::Existing`].
    pub async fn enqueue<J: Job>(&self, tx: &mut Tx, job: &J) -> Result<Enqueued, EnqueueError> {
        let mut enqueued = self.enqueue_all(tx, vec![NewJob::of(job)?]).await?;
        enqueued.pop().ok_or(EnqueueError::Db(DbError::NotFound))
    }

    /// Enqueues a job with options; see [`NewJob`].
    ///
    /// # Errors
    /// As [`Queue::enqueue`].
    pub async fn enqueue_new(&self, tx: &mut Tx, job: NewJob) -> Result<Enqueued, EnqueueError> {
        let mut enqueued = self.enqueue_all(tx, vec![job]).await?;
        enqueued.pop().ok_or(EnqueueError::Db(DbError::NotFound))
    }

    /// Enqueues many jobs with one statement. Returns one result per job, in the same order.
    ///
    /// # Errors
    /// As [`Queue::enqueue`].
    pub async fn enqueue_all(&self, tx: &mut Tx, jobs: Vec<NewJob>) -> Result<Vec<Enqueued>, EnqueueError> {
        Ok(insert_and_wake(tx, &jobs, &self.0.clock, &self.0.wake).await?)
    }

    /// Returns jobs that a statement inserts together with the rows that cause them; each is preceded by the id of its
    /// cause. PostgreSQL only. After the commit, call [`announce`](Self::announce).
    #[must_use]
    pub fn caused(&self, jobs: Vec<(String, NewJob)>) -> CausedJobs {
        CausedJobs::new(jobs, self.0.clock.now())
    }

    /// Wakes workers for the jobs whose cause was stored.
    pub fn announce(&self, jobs: &CausedJobs, is_stored: impl Fn(&str) -> bool) {
        let stored = || jobs.iter().filter(|(cause, _)| is_stored(cause)).map(|(_, job)| job);
        if stored().any(|job| job.run_at.is_none()) {
            self.0.wake.ready();
        }
        // Such a job may have become due since the statement stored it as not yet due. So workers are told its time, at
        // which they look for what has become due, and not that it is ready.
        if let Some(run_at) = stored().filter_map(|job| job.run_at).min() {
            self.0.wake.due_at(run_at);
        }
    }

    /// Returns the state of a job, as seen by `tx`, or `None` if there is no such job.
    pub async fn state(&self, tx: &mut Tx, id: &str) -> nightshift_db::Result<Option<State>> {
        #[derive(sqlx::FromRow)]
        struct Row {
            #[sqlx(try_from = "String")]
            state: State,
        }
        let row: Option<Row> = tx.query("SELECT state FROM jobs WHERE id = $1").bind(id).optional().await?;
        Ok(row.map(|row| row.state))
    }

    /// Returns the id of the unfinished job with this deduplication key, or `None`.
    pub async fn unfinished_with(&self, tx: &mut Tx, dedup_key: &str) -> nightshift_db::Result<Option<String>> {
        let found: Option<(String,)> = tx
            .query("SELECT id FROM jobs WHERE dedup_key = $1 AND state IN ('queued', 'running', 'retrying')")
            .bind(dedup_key)
            .optional()
            .await?;
        Ok(found.map(|(id,)| id))
    }

    /// Returns the id of the unfinished job with this once key, or `None` if there is none or it has finished.
    pub async fn unfinished_once(&self, tx: &mut Tx, once_key: &str) -> nightshift_db::Result<Option<String>> {
        let found: Option<(String,)> = tx
            .query("SELECT id FROM jobs WHERE once_key = $1 AND state IN ('queued', 'running', 'retrying')")
            .bind(once_key)
            .optional()
            .await?;
        Ok(found.map(|(id,)| id))
    }

    /// Returns the number of polls of the unfinished job with this deduplication key, or `None` if there is no such
    /// job.
    pub async fn polls_of(&self, dedup_key: &str) -> nightshift_db::Result<Option<i64>> {
        let found: Option<(i64,)> = self
            .db()
            .read("SELECT polls FROM jobs WHERE dedup_key = $1 AND state IN ('queued', 'running', 'retrying')")
            .bind(dedup_key)
            .optional()
            .await?;
        Ok(found.map(|(polls,)| polls))
    }

    /// Enqueues a job that belongs to no other change, and returns after the commit. Concurrent calls share
    /// transactions.
    ///
    /// # Errors
    /// As [`Queue::enqueue`].
    pub async fn submit(&self, job: NewJob) -> Result<Enqueued, EnqueueError> {
        Ok(self.0.group.submit(job).await?)
    }
}

struct EnqueueBatch {
    clock: Clock,
    wake: Arc<Wake>,
}

impl BatchWrite for EnqueueBatch {
    type Item = NewJob;
    type Answer = Enqueued;
    const FAILPOINTS: [&'static str; 2] = ["enqueue.before_commit", "enqueue.after_commit"];

    async fn write(&self, tx: &mut Tx, jobs: &[NewJob]) -> nightshift_db::Result<Vec<Enqueued>> {
        insert_and_wake(tx, jobs, &self.clock, &self.wake).await
    }

    fn write_alone<'a>(
        &'a self,
        db: &'a Db,
        jobs: &'a [NewJob],
    ) -> Option<BoxFuture<'a, nightshift_db::Result<Vec<Enqueued>>>> {
        if jobs.iter().any(NewJob::may_have_duplicate) {
            return None;
        }
        Some(Box::pin(async move {
            let now = self.clock.now();
            let enqueued = insert_alone(db, jobs, now).await?;
            for run_at in worth_telling(created(jobs, &enqueued), now) {
                self.wake.enqueued(run_at, now);
            }
            Ok(enqueued)
        }))
    }
}

async fn insert_and_wake(
    tx: &mut Tx,
    jobs: &[NewJob],
    clock: &Clock,
    wake: &Arc<Wake>,
) -> nightshift_db::Result<Vec<Enqueued>> {
    let now = clock.now();
    let enqueued = insert(tx, jobs, now).await?;
    for run_at in worth_telling(created(jobs, &enqueued), now) {
        let wake = wake.clone();
        tx.after_commit(move || wake.enqueued(run_at, now));
    }
    Ok(enqueued)
}

fn created<'a>(jobs: &'a [NewJob], enqueued: &'a [Enqueued]) -> impl Iterator<Item = &'a NewJob> {
    jobs.iter().zip(enqueued).filter(|(_, enqueued)| enqueued.is_created()).map(|(job, _)| job)
}

/// Returns the due times to announce for the jobs that were created: one that is due now, and the earliest later one.
/// Both are needed, because waking workers now does not tell them about a later time.
fn worth_telling<'a>(created: impl Iterator<Item = &'a NewJob>, now: Timestamp) -> impl Iterator<Item = Timestamp> {
    let (ready, later): (Vec<Timestamp>, Vec<Timestamp>) =
        created.map(|job| job.run_at.unwrap_or(now)).partition(|run_at| *run_at <= now);
    ready.into_iter().take(1).chain(later.into_iter().min())
}
