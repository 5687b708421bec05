//! Deliveries of concurrent requests, stored together: one transaction holds their rows, audit entries and jobs.

use nightshift_db::{BatchWrite, DbError, Engine, GroupCommit, GroupLimits, Tx, sqlx};
use nightshift_domain::Error as DomainError;
use nightshift_domain::inbox::{self, Delivery, Recorded};
use nightshift_jobs::follow;
use nightshift_queue::{EnqueueError, Queue};

use crate::web::error::Result;

/// Stores deliveries; a clone is cheap.
#[derive(Clone)]
pub struct Receiver(GroupCommit<Store>);

impl Receiver {
    /// Starts the writers. Must be called within a tokio runtime.
    #[must_use]
    pub fn start(queue: Queue) -> Self {
        // A second transaction fills while the first one waits for the disk; SQLite has one writer.
        let writers = if queue.db().engine() == Engine::Postgres { 2 } else { 1 };
        let limits = GroupLimits { writers, ..GroupLimits::default() };
        Self(GroupCommit::start(queue.db().clone(), Store { queue }, limits))
    }

    /// Stores one delivery and says, after the commit, whether its event is new.
    ///
    /// # Errors
    /// 503 when the database is away or too many deliveries wait already. After an error of the commit itself the
    /// delivery may still be stored; its repeat then finds it.
    pub async fn take(&self, delivery: Delivery) -> Result<Recorded> {
        Ok(self.0.try_submit(delivery).await?)
    }
}

struct Store {
    queue: Queue,
}

impl BatchWrite for Store {
    type Item = Delivery;
    type Answer = Recorded;
    const FAILPOINTS: [&'static str; 2] = ["webhook.before_commit", "webhook.after_commit"];

    async fn write(&self, tx: &mut Tx, deliveries: &[Delivery]) -> nightshift_db::Result<Vec<Recorded>> {
        let now = self.queue.clock().now();
        let recorded = inbox::record(tx, deliveries, now).await.map_err(database)?;
        let mut jobs = Vec::with_capacity(deliveries.len());
        for (delivery, recorded) in deliveries.iter().zip(&recorded) {
            jobs.extend(follow::webhook(delivery, recorded).map_err(queue)?);
        }
        self.queue.enqueue_all(tx, jobs).await.map_err(queue)?;
        Ok(recorded)
    }
}

fn database(error: DomainError) -> DbError {
    match error {
        DomainError::Db(error) => error,
        other => DbError::Refused(sqlx::Error::Protocol(other.to_string())),
    }
}

fn queue(error: EnqueueError) -> DbError {
    match error {
        EnqueueError::Db(error) => error,
        other @ EnqueueError::Payload { .. } => DbError::Refused(sqlx::Error::Protocol(other.to_string())),
    }
}
