//! The context that a handler receives with its job.

use std::sync::{Arc, Mutex};

use nightshift_db::{Clock, Db, Timestamp, Tx};
use tokio::sync::watch;

use crate::handlers::signal::Signal;
use crate::job::{EnqueueError, Enqueued, Job, JobError, JobInfo, NewJob};
use crate::store::queue::Queue;
use crate::store::steps;

/// Maximum size in bytes of the notes that are stored with a failed attempt. Older notes are cut off first.
const NOTES_BYTES_MAX: usize = 4096;

/// Gives a handler access to its job, the queue, the database and the program's own state `S`.
pub struct JobContext<S> {
    /// The job's id, kind, organisation, attempt and other metadata.
    pub job: Arc<JobInfo>,
    /// The state that all handlers of the program share.
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
    /// Returns the database that holds the queue.
    #[must_use]
    pub fn db(&self) -> &Db {
        self.queue.db()
    }

    /// Returns the queue that the job came from.
    #[must_use]
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Returns the clock of the queue, which all times of its jobs come from.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        self.queue.clock()
    }

    /// Returns the current time of the queue's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.queue.clock().now()
    }

    /// Starts a transaction. Do not keep it open during a request to another service.
    ///
    /// # Errors
    /// The error of [`Db::begin`] as a [`JobError`].
    pub async fn begin(&self) -> Result<Tx, JobError> {
        Ok(self.db().begin().await?)
    }

    /// Creates a follow-up job, which has this job as its parent and takes over its organisation, correlation id and
    /// mode. The caller enqueues it.
    ///
    /// # Errors
    /// [`EnqueueError::Payload`] if the payload can't be serialized.
    pub fn follow_up<J: Job>(&self, job: &J) -> Result<NewJob, EnqueueError> {
        Ok(NewJob::of(job)?.caused_by(&self.job))
    }

    /// Enqueues a [follow-up job](Self::follow_up) in `tx`.
    ///
    /// # Errors
    /// [`EnqueueError::Payload`] if the payload can't be serialized, or an error of [`Queue::enqueue_new`].
    pub async fn enqueue<J: Job>(&self, tx: &mut Tx, job: &J) -> Result<Enqueued, EnqueueError> {
        self.queue.enqueue_new(tx, self.follow_up(job)?).await
    }

    /// Checks whether the job may continue. Call it between steps.
    ///
    /// # Errors
    /// An error that the handler must return, if an operator has cancelled the job, the grace period of a shutdown is
    /// over, or the lease is lost.
    pub fn checkpoint(&self) -> Result<(), JobError> {
        if matches!(*self.signal.borrow(), Signal::Run) { Ok(()) } else { Err(JobError::interrupted()) }
    }

    /// Records in `tx` that a step is done. Operators see `output` with the job. If the step is already recorded,
    /// nothing changes.
    ///
    /// # Errors
    /// A database error as a [`JobError`].
    pub async fn step_done(&self, tx: &mut Tx, step: &str, output: serde_json::Value) -> Result<(), JobError> {
        Ok(steps::record(tx, &self.job.id, step, &output, self.now()).await?)
    }

    /// Returns when this job, in any attempt, recorded the step as done, or `None` if it has not.
    ///
    /// # Errors
    /// A database error as a [`JobError`].
    pub async fn step_finished_at(&self, tx: &mut Tx, step: &str) -> Result<Option<Timestamp>, JobError> {
        Ok(steps::finished_at(tx, &self.job.id, step).await?)
    }

    /// Adds a line to the notes, which are stored with the attempt if it fails. Operators read them, so a line must not
    /// contain a phone number or the text of a message.
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
