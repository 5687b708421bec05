//! The scheduler role: enqueues the jobs of schedules when they are due.
//!
//! The queue computes what is due from the schedules and the organisations' time zones. This is the loop that calls it.
//! It keeps no state that matters in memory, and any number of processes may run it.

use std::time::Duration;

use nightshift_db::{Db, Timestamp};
use nightshift_domain::people::organizations;
use nightshift_jobs::schedules::{Times, schedules, scope_of};
use nightshift_queue::schedule::{BadCron, Schedule, Scheduler, Scope};
use nightshift_queue::{EnqueueError, Queue};

use crate::config::Settings;

/// The maximum interval between two reads of the organisations, whose number or time zones may have changed.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// The pause before a retry after an error.
const TRY_AGAIN: Duration = Duration::from_secs(10);

/// The schedules of the program.
#[derive(Debug, Clone)]
pub struct Clockwork {
    pub schedules: Vec<Schedule>,
}

#[derive(Debug, thiserror::Error)]
enum TickError {
    #[error(transparent)]
    Organizations(#[from] nightshift_domain::Error),
    #[error(transparent)]
    Queue(#[from] EnqueueError),
}

impl Clockwork {
    /// Creates the schedules from the settings.
    ///
    /// # Errors
    /// Returns an error only if an embedded cron expression is invalid, which a test rules out.
    pub fn new(settings: &Settings) -> Result<Self, BadCron> {
        let times = Times {
            reconciliation: settings.reconciliation.schedule.clone(),
            reconciliation_zone: settings.reconciliation.timezone,
        };
        Ok(Self { schedules: schedules(times)? })
    }

    /// Returns the organisations with their time zones.
    pub async fn scopes(&self, db: &Db) -> nightshift_domain::Result<Vec<Scope>> {
        let locales = organizations::locales(db).await?;
        Ok(locales.into_iter().map(scope_of).collect())
    }

    /// Enqueues the job of every occurrence when it is due. Never returns.
    pub async fn run(self, queue: Queue) {
        let clock = queue.clock().clone();
        let mut scheduler = Scheduler::new(queue.clone(), self.schedules.clone());
        loop {
            match self.tick(&queue, &mut scheduler).await {
                Ok(next) => {
                    let look_at = clock.now() + LOOK_EVERY;
                    // The sleep also ends when the clock is set. The next occurrence is then computed again.
                    clock.sleep_until(next.map_or(look_at, |next| next.min(look_at))).await;
                }
                Err(error) => {
                    tracing::warn!(%error, "what is due by the clock could not be fired; trying again");
                    tokio::time::sleep(TRY_AGAIN).await;
                }
            }
        }
    }

    async fn tick(&self, queue: &Queue, scheduler: &mut Scheduler) -> Result<Option<Timestamp>, TickError> {
        let scopes = self.scopes(queue.db()).await?;
        Ok(scheduler.tick(&scopes).await?)
    }
}
