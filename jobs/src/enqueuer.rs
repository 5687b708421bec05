//! Puts jobs into the transaction of the change that makes them necessary.
//!
//! Handed to the operations of the areas ([`booking`](crate::booking), [`sms`](crate::sms), ...), which alone decide
//! what follows from a change.

use nightshift_db::{Timestamp, Tx};
use nightshift_queue::admin::SteerError;
use nightshift_queue::lifecycle::State;
use nightshift_queue::{EnqueueError, Enqueued, Job, JobContext, JobInfo, NewJob, Queue};

/// Enqueues on behalf of a request or of a job.
pub struct Enqueuer<'a> {
    queue: &'a Queue,
    cause: Option<&'a JobInfo>,
    /// When it was made.
    now: Timestamp,
}

/// What waking a job came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RunNow {
    /// It runs now.
    Woken,
    /// It runs already, and may have looked at what it waits for before.
    Running,
    /// It has ended.
    Ended,
}

impl<'a> Enqueuer<'a> {
    /// For a request, or a command.
    #[must_use]
    pub fn of_request(queue: &'a Queue) -> Self {
        Self { queue, cause: None, now: queue.clock().now() }
    }

    /// For a job, which the new jobs name as their parent.
    #[must_use]
    pub fn of<S>(ctx: &'a JobContext<S>) -> Self {
        Self { queue: ctx.queue(), cause: Some(&ctx.job), now: ctx.now() }
    }

    /// When this was made: the time that the changes of its operations bear. A new job that names no time is due at the
    /// queue's time when it is stored.
    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    /// A job as its kind says, with the lineage of its cause.
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

    /// Runs a waiting job now.
    pub(crate) async fn run_now(&self, tx: &mut Tx, id: &str) -> Result<RunNow, EnqueueError> {
        match self.queue.run_now(tx, id).await {
            Ok(_) => Ok(RunNow::Woken),
            Err(SteerError::Db(error)) => Err(error.into()),
            Err(_) if self.is_running(tx, id).await? => Ok(RunNow::Running),
            Err(_) => Ok(RunNow::Ended),
        }
    }

    /// Runs the unfinished job with this dedup key now, if there is one.
    pub(crate) async fn hasten_by_dedup_key(&self, tx: &mut Tx, key: &str) -> Result<(), EnqueueError> {
        if let Some(id) = self.queue.unfinished_with(tx, key).await? {
            self.run_now(tx, &id).await?;
        }
        Ok(())
    }

    /// Runs the unfinished job with this once key now, if there is one.
    pub(crate) async fn hasten_by_once_key(&self, tx: &mut Tx, key: &str) -> Result<(), EnqueueError> {
        if let Some(id) = self.queue.unfinished_once(tx, key).await? {
            self.run_now(tx, &id).await?;
        }
        Ok(())
    }
}
