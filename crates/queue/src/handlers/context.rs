//! What a running handler holds.

use std::sync::{Arc, Mutex};

use nightshift_db::{Clock, Db, Timestamp, Tx};
use tokio::sync::watch;

use crate::handlers::signal::Signal;
use crate::job::{EnqueueError, Enqueued, Job, JobError, JobInfo, NewJob};
use crate::store::queue::Queue;
use crate::store::steps;

/// Bytes of a handler's notes that are kept with a failed attempt.
const NOTES_BYTES_MAX: usize = 4096;

/// Handed to a handler with its job; `S` is the program's own state.
pub struct JobContext<S> {
    /// The job's facts.
    pub job: Arc<JobInfo>,
    /// What the program's handlers share.
    pub app: Arc<S>,
    pub(crate) queue: Queue,
    pub(crate) signal: watch::Receiver<Signal>,
    pub(crate) notes: Arc<Mutex<String>>,
}

impl<S> Clone for JobContext<S> {
    fn clone(&self) -> Self {
        Self {
            job: self.job.clone(),
            app: self.app.clone(),
            queue: self.queue.clone(),
            signal: self.signal.clone(),
            notes: self.notes.clone(),
        }
    }
}

impl<S> JobContext<S> {
    /// The queue's database.
    #[must_use]
    pub fn db(&self) -> &Db {
        self.queue.db()
    }

    /// The queue itself.
    #[must_use]
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// The clock everything is timed by.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        self.queue.clock()
    }

    /// The present instant.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.queue.clock().now()
    }

    /// Starts a transaction. Keep no transaction open across a request to the outside.
    ///
    /// # Errors
    /// As [`Db::begin`], as a job error.
    pub async fn begin(&self) -> Result<Tx, JobError> {
        Ok(self.db().begin().await?)
    }

    /// A follow-up job: it carries this job's lineage, organisation, correlation and mode.
    ///
    /// # Errors
    /// [`EnqueueError::Payload`].
    pub fn follow_up<J: Job>(&self, job: &J) -> Result<NewJob, EnqueueError> {
        Ok(NewJob::of(job)?.caused_by(&self.job))
    }

    /// Enqueues a follow-up job in `tx`.
    ///
    /// # Errors
    /// [`EnqueueError`].
    pub async fn enqueue<J: Job>(&self, tx: &mut Tx, job: &J) -> Result<Enqueued, EnqueueError> {
        self.queue.enqueue_new(tx, self.follow_up(job)?).await
    }

    /// Ends a job that a person wants cancelled; call it between steps.
    ///
    /// # Errors
    /// An error to return when the job is to stop here.
    pub fn checkpoint(&self) -> Result<(), JobError> {
        if matches!(*self.signal.borrow(), Signal::Run) { Ok(()) } else { Err(JobError::interrupted()) }
    }

    /// Records in `tx` that a step is done; `output` is shown to ops. Recording it again changes nothing.
    ///
    /// # Errors
    /// As a job error.
    pub async fn step_done(&self, tx: &mut Tx, step: &str, output: serde_json::Value) -> Result<(), JobError> {
        Ok(steps::record(tx, &self.job.id, step, &output, self.now()).await?)
    }

    /// When this job finished a step, if it did.
    ///
    /// # Errors
    /// A database error.
    pub async fn step_finished_at(&self, tx: &mut Tx, step: &str) -> Result<Option<Timestamp>, JobError> {
        Ok(steps::finished_at(tx, &self.job.id, step).await?)
    }

    /// Adds a line that is kept with the attempt if it fails. Never a phone number or a message body.
    pub fn note(&self, line: &str) {
        let mut notes = self.notes.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        notes.push_str(line);
        notes.push('\n');
        let surplus = notes.len().saturating_sub(NOTES_BYTES_MAX);
        if surplus > 0 {
            let cut = (surplus..notes.len()).find(|at| notes.is_char_boundary(*at)).unwrap_or(notes.len());
            notes.drain(..cut);
        }
    }
}
