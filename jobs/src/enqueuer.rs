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

    /// Enqueues a job that must see what the caller has changed.
    ///
    /// A duplicate that waits will see it. Any other may have looked before, so the job becomes its successor. That
    /// includes a duplicate that counts as running: it may have committed its work, and only its result is not stored.
    pub(crate) async fn enqueue_to_see(&self, tx: &mut Tx, new: NewJob) -> Result<Enqueued, EnqueueError> {
        let mut next = new.clone();
        loop {
            let enqueued = self.enqueue(tx, next).await?;
            let Enqueued::Existing { id } = &enqueued else { return Ok(enqueued) };
            if self.queue.state(tx, id).await?.is_some_and(State::is_claimable) {
                return Ok(enqueued);
            }
            next = new.clone().after(id);
        }
    }

    /// As [`enqueue_to_see`](Self::enqueue_to_see), and makes a duplicate that waits due now.
    pub(crate) async fn enqueue_to_see_now(&self, tx: &mut Tx, new: NewJob) -> Result<(), EnqueueError> {
        let mut next = new.clone();
        while let Enqueued::Existing { id } = self.enqueue(tx, next).await? {
            if self.run_now(tx, &id).await? {
                break;
            }
            next = new.clone().after(&id);
        }
        Ok(())
    }

    /// Makes a job due now. Returns false if it does not wait.
    async fn run_now(&self, tx: &mut Tx, id: &str) -> Result<bool, EnqueueError> {
        match self.queue.run_now(tx, id).await {
            Ok(_) => Ok(true),
            Err(SteerError::Db(error)) => Err(error.into()),
            Err(_) => Ok(false),
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
