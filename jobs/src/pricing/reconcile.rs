//! Begins the check of an organisation's prices for one of its days.
//!
//! The run is a row, and [`pricing.reconcile.chunk`](crate::pricing::reconcile_chunk) goes over the bookings. An
//! existing run continues from its cursor unless it is completed.

mod payload;

use nightshift_db::Tx;
use nightshift_domain::actor::Actor;
use nightshift_domain::reconciliation::{self, ReconciliationStatus};
use nightshift_queue::{DeadJob, Handler, Hooks, JobContext, JobError, JobResult, Outcome, RetriedJob, Revival};
use serde_json::json;

use crate::enqueuer::Enqueuer;
use crate::job_error::OrJobError;
use crate::{App, pricing};

pub use payload::PricingReconcile;

impl Handler<App> for PricingReconcile {
    type Hooks = Self;

    /// Begins the run, or has the existing one continued.
    async fn run(self, ctx: JobContext<App>) -> JobResult {
        let mut tx = ctx.begin().await?;
        let begun = pricing::begin(&Enqueuer::of(&ctx), &mut tx, &self).await?;
        let run = begun.run;
        if begun.resumed && run.status == ReconciliationStatus::Completed {
            return Ok(Outcome::skip(format!("run {} is completed", run.id)));
        }
        tx.commit().await?;
        Ok(Outcome::done_with(json!({"runId": run.id, "resumed": begun.resumed})))
    }
}

impl Hooks for PricingReconcile {
    /// Records that the check could not begin.
    async fn on_dead(job: &Self, tx: &mut Tx, dead: &DeadJob) -> Result<(), JobError> {
        let by = Actor::system(dead.info.id.as_str());
        reconciliation::fail(tx, &job.org_id, None, &dead.error, &by, &dead.info.id, dead.at).await.or_job_error()
    }

    /// Refuses to retry if the check has been completed in the meantime.
    async fn on_retry(job: &Self, tx: &mut Tx, _: &RetriedJob) -> Result<Revival, JobError> {
        let run = reconciliation::of_day(tx, &job.org_id, &job.local_date, job.trigger_kind, job.attempt_no);
        Ok(match run.await.or_job_error()? {
            Some(run) if run.status == ReconciliationStatus::Completed => {
                Revival::Pointless(format!("run {} is completed", run.id))
            }
            _ => Revival::Ready,
        })
    }
}
