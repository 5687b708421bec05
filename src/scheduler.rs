//! The clock: fires what is due by the time of day.
//!
//! What is due is worked out by the queue, from the list of schedules and the organisations' zones; this is the loop
//! that asks it. It keeps nothing that matters in memory, and any number of processes may run it.

use std::time::Duration;

use chrono_tz::Tz;
use nightshift_db::{Db, Timestamp};
use nightshift_domain::people::organizations;
use nightshift_jobs::schedules::{Times, schedules, scope_of};
use nightshift_queue::schedule::{BadCron, Schedule, Scheduler, Scope};
use nightshift_queue::{EnqueueError, Queue};

use crate::config::Settings;

/// Between two looks at the organisations: one may have been added, or have changed its zone.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// Between two tries while the database is away.
const TRY_AGAIN: Duration = Duration::from_secs(10);

/// What happens by the clock, and in whose time.
#[derive(Debug, Clone)]
pub struct Clockwork {
    /// Every schedule.
    pub schedules: Vec<Schedule>,
    /// The zone that is set for all organisations, if one is.
    zone: Option<Tz>,
}

#[derive(Debug, thiserror::Error)]
enum TickError {
    #[error(transparent)]
    Organizations(#[from] nightshift_domain::Error),
    #[error(transparent)]
    Queue(#[from] EnqueueError),
}

impl Clockwork {
    /// As the settings say.
    ///
    /// # Errors
    /// Never, unless a built-in expression is broken, which a test rules out.
    pub fn new(settings: &Settings) -> Result<Self, BadCron> {
        let times = Times { reconciliation: settings.reconciliation.schedule.clone() };
        Ok(Self { schedules: schedules(times)?, zone: settings.reconciliation.timezone })
    }

    /// Whose local times count.
    ///
    /// # Errors
    /// A database error.
    pub async fn scopes(&self, db: &Db) -> nightshift_domain::Result<Vec<Scope>> {
        let locales = organizations::locales(db).await?;
        Ok(locales.into_iter().map(|locale| scope_of(locale, self.zone)).collect())
    }

    /// Fires every occurrence, for ever.
    pub async fn run(self, queue: Queue) {
        let clock = queue.clock().clone();
        let mut scheduler = Scheduler::new(queue.clone(), self.schedules.clone());
        loop {
            match self.tick(&queue, &mut scheduler).await {
                Ok(next) => {
                    let look_at = clock.now() + LOOK_EVERY;
                    // Or until the clock is set: then everything is worked out anew.
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
