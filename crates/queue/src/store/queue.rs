//! The handle that everything which enqueues holds.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use nightshift_db::{BatchWrite, Clock, Db, DbError, Engine, GroupCommit, GroupLimits, Timestamp, Tx};
use tokio::task::AbortHandle;

use crate::job::{EnqueueError, Enqueued, Job, NewJob};
use crate::store::enqueue::{insert, insert_alone};
use crate::store::lifecycle::State;
use crate::store::wake::Wake;

/// A cheap handle to the queue; clones share it.
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
    /// A handle on a migrated database. Must be called within a tokio runtime.
    #[must_use]
    pub fn new(db: Db, clock: Clock) -> Self {
        let wake = Wake::new();
        let announcer =
            (db.engine() == Engine::Postgres).then(|| tokio::spawn(wake.clone().announce(db.clone())).abort_handle());
        let batch = EnqueueBatch { clock: clock.clone(), wake: wake.clone() };
        // A second transaction fills while the first one waits for the disk; SQLite has one writer.
        let writers = if db.engine() == Engine::Postgres { 2 } else { 1 };
        let group = GroupCommit::start(db.clone(), batch, GroupLimits { writers, ..GroupLimits::default() });
        Self(Arc::new(Inner { db, clock, wake, group, announcer }))
    }

    /// The database the jobs are in.
    #[must_use]
    pub fn db(&self) -> &Db {
        &self.0.db
    }

    /// The clock that jobs are timed by.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(crate) fn wake(&self) -> &Arc<Wake> {
        &self.0.wake
    }

    /// Enqueues `job` in `tx`: it exists if and only if the transaction commits, and workers are woken then.
    ///
    /// # Errors
    /// [`EnqueueError`]; a duplicate is not an error but named in the answer.
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

    /// Enqueues many jobs in one statement; one answer per job, in their order.
    ///
    /// # Errors
    /// As [`Queue::enqueue`].
    pub async fn enqueue_all(&self, tx: &mut Tx, jobs: Vec<NewJob>) -> Result<Vec<Enqueued>, EnqueueError> {
        Ok(insert_and_wake(tx, &jobs, &self.0.clock, &self.0.wake).await?)
    }

    /// Where a job stands, as `tx` sees it.
    ///
    /// # Errors
    /// A database error.
    pub async fn state(&self, tx: &mut Tx, id: &str) -> nightshift_db::Result<Option<State>> {
        #[derive(sqlx::FromRow)]
        struct Row {
            #[sqlx(try_from = "String")]
            state: State,
        }
        let row: Option<Row> = tx.query("SELECT state FROM jobs WHERE id = $1").bind(id).optional().await?;
        Ok(row.map(|row| row.state))
    }

    /// The unfinished job that holds a dedup key, if there is one.
    ///
    /// # Errors
    /// A database error.
    pub async fn unfinished_with(&self, tx: &mut Tx, dedup_key: &str) -> nightshift_db::Result<Option<String>> {
        let found: Option<(String,)> = tx
            .query("SELECT id FROM jobs WHERE dedup_key = $1 AND state IN ('queued', 'running', 'retrying')")
            .bind(dedup_key)
            .optional()
            .await?;
        Ok(found.map(|(id,)| id))
    }

    /// The unfinished job with a once key.
    ///
    /// # Errors
    /// A database error.
    pub async fn unfinished_once(&self, tx: &mut Tx, once_key: &str) -> nightshift_db::Result<Option<String>> {
        let found: Option<(String,)> = tx
            .query("SELECT id FROM jobs WHERE once_key = $1 AND state IN ('queued', 'running', 'retrying')")
            .bind(once_key)
            .optional()
            .await?;
        Ok(found.map(|(id,)| id))
    }

    /// How often the unfinished job that holds a dedup key has asked to be called again.
    ///
    /// # Errors
    /// A database error.
    pub async fn polls_of(&self, dedup_key: &str) -> nightshift_db::Result<Option<i64>> {
        let found: Option<(i64,)> = self
            .db()
            .read("SELECT polls FROM jobs WHERE dedup_key = $1 AND state IN ('queued', 'running', 'retrying')")
            .bind(dedup_key)
            .optional()
            .await?;
        Ok(found.map(|(polls,)| polls))
    }

    /// Enqueues a job that belongs to no other change, together with those of other callers in one transaction;
    /// answers after the commit.
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
            for run_at in worth_telling(jobs, &enqueued, now) {
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
    for run_at in worth_telling(jobs, &enqueued, now) {
        let wake = wake.clone();
        tx.after_commit(move || wake.enqueued(run_at, now));
    }
    Ok(enqueued)
}

/// Of the jobs that were made, one that runs at once and the first that runs later: what runs at once says nothing about
/// what becomes due soon after.
fn worth_telling(jobs: &[NewJob], enqueued: &[Enqueued], now: Timestamp) -> impl Iterator<Item = Timestamp> + use<> {
    let created = jobs.iter().zip(enqueued).filter(|(_, enqueued)| enqueued.is_created());
    let (ready, later): (Vec<Timestamp>, Vec<Timestamp>) =
        created.map(|(job, _)| job.run_at.unwrap_or(now)).partition(|run_at| *run_at <= now);
    ready.into_iter().take(1).chain(later.into_iter().min())
}
