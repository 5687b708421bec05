//! Stores the deliveries of concurrent requests together: one transaction holds their inbox rows and jobs, and the audit
//! entries of repeated and of unverified deliveries.

use std::collections::HashSet;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use nightshift_db::{BatchWrite, Db, DbError, Engine, GroupCommit, GroupLimits, Tx};
use nightshift_domain::Error as DomainError;
use nightshift_domain::ids::InboxId;
use nightshift_domain::inbox::{Delivery, NewDeliveries, Recorded};
use nightshift_queue::{EnqueueError, NewJob, Queue};

use super::job_for::JobFor;
use crate::web::error;

/// A delivery to store, and the job that processes its event.
pub struct Accepted {
    pub delivery: Delivery,
    /// Creates the job if the event is new.
    pub job: Option<JobFor>,
}

impl Accepted {
    /// Creates the job, if there is one, for the event in the row `inbox`. It has the id of that row: jobs of a group run
    /// in the order of their ids, so webhooks of one group are processed in the order of their rows, whichever processes
    /// received them.
    fn job(&self, inbox: &InboxId) -> Option<Result<NewJob, EnqueueError>> {
        let made = self.job.as_ref()?.make(inbox.clone());
        Some(made.map(|job| job.id(inbox.as_str()).correlation(&self.delivery.request_id)))
    }
}

/// Stores deliveries. A clone is cheap.
#[derive(Clone)]
pub struct Receiver(GroupCommit<Store>);

impl Receiver {
    /// Starts the writers. Must be called within a Tokio runtime.
    #[must_use]
    pub fn start(queue: Queue) -> Self {
        // On PostgreSQL a second transaction is filled while the first one waits for the disk. SQLite has one writer.
        let writers = if queue.db().engine() == Engine::Postgres { 2 } else { 1 };
        Self::start_within(queue, GroupLimits { writers, ..GroupLimits::default() })
    }

    /// Starts the writers with other limits than [`Receiver::start`].
    #[must_use]
    pub fn start_within(queue: Queue, limits: GroupLimits) -> Self {
        Self(GroupCommit::start(queue.db().clone(), Store { queue }, limits))
    }

    /// Stores one delivery. Returns, after the commit, whether its event is new.
    ///
    /// # Errors
    /// Returns 503 if the database is unreachable, and `overloaded` if too many deliveries are waiting. After a failed
    /// commit the delivery may still be stored. The provider's retry is then recognised as a duplicate.
    pub async fn take(&self, accepted: Accepted) -> error::Result<Recorded> {
        Ok(self.0.try_submit(accepted).await?)
    }
}

struct Store {
    queue: Queue,
}

impl BatchWrite for Store {
    type Item = Accepted;
    type Answer = Recorded;
    const FAILPOINTS: [&'static str; 2] = ["webhook.before_commit", "webhook.after_commit"];

    async fn write(&self, tx: &mut Tx, batch: &[Accepted]) -> nightshift_db::Result<Vec<Recorded>> {
        let recorded = self.deliveries(batch).store(tx).await.map_err(database)?;
        // A repeated event already has its job.
        let new = batch.iter().zip(&recorded).filter(|(_, recorded)| recorded.first);
        let jobs = new.filter_map(|(accepted, recorded)| accepted.job(&recorded.inbox_id)).collect::<Result<_, _>>();
        self.queue.enqueue_all(tx, jobs.map_err(queue)?).await.map_err(queue)?;
        Ok(recorded)
    }

    /// On PostgreSQL one statement stores everything and commits by itself.
    fn write_alone<'a>(
        &'a self,
        db: &'a Db,
        batch: &'a [Accepted],
    ) -> Option<BoxFuture<'a, nightshift_db::Result<Vec<Recorded>>>> {
        if db.engine() != Engine::Postgres {
            return None;
        }
        let deliveries = self.deliveries(batch);
        deliveries.are_plain().then(|| self.write_with_jobs(db, batch, deliveries).boxed())
    }
}

impl Store {
    fn deliveries<'a>(&self, batch: &'a [Accepted]) -> NewDeliveries<'a> {
        NewDeliveries::of(batch.iter().map(|accepted| &accepted.delivery).collect(), self.queue.clock())
    }

    async fn write_with_jobs(
        &self,
        db: &Db,
        batch: &[Accepted],
        deliveries: NewDeliveries<'_>,
    ) -> nightshift_db::Result<Vec<Recorded>> {
        let job_of = |(place, id): (usize, &InboxId)| Some((id.to_string(), batch[place].job(id)?));
        let jobs = deliveries.events().filter_map(job_of).map(|(id, job)| Ok((id, job?))).collect::<Result<_, _>>();
        let jobs = self.queue.caused(jobs.map_err(queue)?);
        let recorded = deliveries.store_with(db, &jobs).await.map_err(database)?;
        let new: HashSet<&str> =
            recorded.iter().filter(|recorded| recorded.first).map(|recorded| recorded.inbox_id.as_str()).collect();
        self.queue.announce(&jobs, |id| new.contains(id));
        Ok(recorded)
    }
}

fn database(error: DomainError) -> DbError {
    match error {
        DomainError::Db(error) => error,
        other => DbError::Value(other.into()),
    }
}

fn queue(error: EnqueueError) -> DbError {
    match error {
        EnqueueError::Db(error) => error,
        other @ EnqueueError::Payload { .. } => DbError::Value(other.into()),
    }
}
