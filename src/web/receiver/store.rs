//! Stores the deliveries of concurrent requests together: one transaction holds their inbox rows, audit entries and
//! jobs.

use nightshift_db::{BatchWrite, DbError, Engine, GroupCommit, GroupLimits, Tx};
use nightshift_domain::Error as DomainError;
use nightshift_domain::inbox::{self, Delivery, Recorded};
use nightshift_queue::{EnqueueError, Queue};

use super::job_for::JobFor;
use crate::web::error::Result;

/// A delivery to store, and the job that processes its event.
pub struct Accepted {
    pub delivery: Delivery,
    /// Creates the job if the event is new.
    pub job: Option<JobFor>,
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
    pub async fn take(&self, accepted: Accepted) -> Result<Recorded> {
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
        let now = self.queue.clock().now();
        let deliveries: Vec<&Delivery> = batch.iter().map(|accepted| &accepted.delivery).collect();
        let recorded = inbox::record(tx, &deliveries, now).await.map_err(database)?;
        let mut jobs = Vec::with_capacity(batch.len());
        for (Accepted { delivery, job }, recorded) in batch.iter().zip(&recorded) {
            // A repeated event already has its job.
            if let Some(job) = job.as_ref().filter(|_| recorded.first) {
                let new = job.make(recorded.inbox_id.clone()).map_err(queue)?;
                jobs.push(new.correlation(&delivery.request_id));
            }
        }
        self.queue.enqueue_all(tx, jobs).await.map_err(queue)?;
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
