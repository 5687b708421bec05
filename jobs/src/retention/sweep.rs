//! Deletes data past its retention time, once a day.

use std::time::Duration;

use nightshift_domain::actor::Actor;
use nightshift_domain::audit::{self, Entry, Event};
use nightshift_domain::retention;
use nightshift_queue::{Handler, Job, JobContext, JobResult, Keys, NoHooks, Outcome, Policy};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::App;
use crate::job_error::OrJobError;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RetentionSweep {
    /// The day in UTC, `YYYY-MM-DD`.
    pub utc_date: String,
}

impl RetentionSweep {
    /// Creates the sweep of the day that contains `at`.
    #[must_use]
    pub fn of_day(at: nightshift_db::Timestamp) -> Self {
        Self { utc_date: at.to_datetime().format("%F").to_string() }
    }
}

impl Job for RetentionSweep {
    const KIND: &'static str = "retention.sweep";
    const QUEUE: &'static str = "maintenance";
    const PRIORITY: i64 = 9;

    fn keys(&self) -> Keys {
        Keys::once(format!("retention.sweep:{}", self.utc_date))
    }

    fn policy() -> Policy {
        Policy::standard(3).timeout(Duration::from_secs(600))
    }
}

impl Handler<App> for RetentionSweep {
    type Hooks = NoHooks;

    /// Sweeps in small batches, each in its own transaction, so that a sweep that is interrupted continues where it
    /// was.
    async fn run(self, ctx: JobContext<App>) -> JobResult {
        let now = ctx.now();
        let jobs = nightshift_queue::retention::sweep(ctx.db(), now).await?;
        let records = retention::sweep(ctx.db(), now).await.or_job_error()?;
        let counts = json!({"utcDate": self.utc_date, "queue": jobs, "records": records});
        let mut tx = ctx.begin().await?;
        let entry = Entry::new(Event::RetentionSwept, "success", &Actor::system(ctx.job.id.as_str()))
            .job(&ctx.job.id)
            .metadata(counts.clone());
        audit::record(&mut tx, entry, now).await.or_job_error()?;
        tx.commit().await?;
        Ok(Outcome::done_with(counts))
    }
}
