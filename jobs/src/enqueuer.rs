//! Enqueues jobs in the transaction of the change that makes them necessary.
//!
//! The operations of the areas ([`booking`](crate::booking), [`sms`](crate::sms), ...) get an enqueuer. Only they
//! decide which jobs follow from a change.

use nightshift_db::{Timestamp, Tx};
use nightshift_queue::admin::SteerError;
use nightshift_queue::lifecycle::State;
use nightshift_queue::{EnqueueError, Enqueued, Job, JobContext, JobInfo, NewJob, Queue};

/// Enqueues on behalf of a request or a job.
pub struct Enqueuer<'a> {
    queue: &'a Queue,
    cause: Option<&'a JobInfo>,
    /// The time when the enqueuer was created.
    now: Timestamp,
}

/// The result of [`Enqueuer::run_now`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RunNow {
    /// The job was waiting and is due now.
    Woken,
    /// The job is running, and may already have read what the caller changed.
    Running,
    Ended,
}

impl<'a> Enqueuer<'a> {
    /// Creates an enqueuer for a request or a command.
    #[must_use]
    pub fn of_request(queue: &'a Queue) -> Self {
        Self { queue, cause: None, now: queue.clock().now() }
    }

    /// Creates an enqueuer for a job, which becomes the parent of the new jobs.
    #[must_use]
    pub fn of<S>(ctx: &'a JobContext<S>) -> Self {
        Self { queue: ctx.queue(), cause: Some(&ctx.job), now: ctx.now() }
    }

    /// Returns the time when the enqueuer was created, which the changes of an operation record. A new job without a
    /// time of its own is due at the queue's time when it is stored.
    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    /// Creates the job with the settings of its kind and the lineage of its cause.
    pub(crate) fn new_job<J: Job>(&self, job: &J) -> Result<NewJob, EnqueueError> {
        let new = NewJob::of(job)?;
        Ok(match self.cause {
            Some(cause) => new.caused_by(cause),
            None => new,
        })
    }

    pub(crate) async fn enqueue(&self, tx: &mut Tx, new: NewJob) -> Result<Enqueued, EnqueueError> {
        self.queue.enqueue_new(tx, new).await
    }

    pub(crate) async fn is_running(&self, tx: &mut Tx, id: &str) -> Result<bool, EnqueueError> {
        Ok(self.queue.state(tx, id).await? == Some(State::Running))
    }

    /// Makes a waiting job due now.
    pub(crate) async fn run_now(&self, tx: &mut Tx, id: &str) -> Result<RunNow, EnqueueError> {
        match self.queue.run_now(tx, id).await {
            Ok(_) => Ok(RunNow::Woken),
            Err(SteerError::Db(error)) => Err(error.into()),
            Err(_) if self.is_running(tx, id).await? => Ok(RunNow::Running),
            Err(_) => Ok(RunNow::Ended),
        }
    }

    /// Makes the unfinished job with this dedup key due now, if there is one.
    pub(crate) async fn run_now_by_dedup_key(&self, tx: &mut Tx, key: &str) -> Result<(), EnqueueError> {
        if let Some(id) = self.queue.unfinished_with(tx, key).await? {
            self.run_now(tx, &id).await?;
        }
        Ok(())
    }

    /// Makes the unfinished job with this once key due now, if there is one.
    pub(crate) async fn run_now_by_once_key(&self, tx: &mut Tx, key: &str) -> Result<(), EnqueueError> {
        if let Some(id) = self.queue.unfinished_once(tx, key).await? {
            self.run_now(tx, &id).await?;
        }
        Ok(())
    }
}
