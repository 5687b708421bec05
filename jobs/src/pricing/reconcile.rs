//! Begins the check of an organisation's prices for one of its days.
//!
//! The run is a row, and the bookings are gone over by [`pricing.reconcile.chunk`](crate::pricing::reconcile_chunk).
//! A run that stands already is carried on from where it was, unless it is complete.

use std::time::Duration;

use nightshift_db::Tx;
use nightshift_domain::actor::Actor;
use nightshift_domain::ids::OrgId;
use nightshift_domain::reconciliation::{self, RunStatus, Trigger};
use nightshift_queue::{
    DeadJob, Handler, Hooks, Job, JobContext, JobError, JobResult, Keys, Outcome, Policy, RetriedJob, Revival,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::decide::OrDecide;
use crate::enqueuer::Enqueuer;
use crate::{App, pricing};

/// A check that is due.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PricingReconcile {
    /// Whose bookings.
    pub org_id: OrgId,
    /// The day in the organisation's zone, `YYYY-MM-DD`.
    pub local_date: String,
    /// The clock, or somebody.
    pub trigger_kind: Trigger,
    /// Counts those of a day that somebody asked for; 0 for the clock's.
    #[serde(default)]
    pub attempt_no: i64,
    /// Whether the clock was late, because no scheduler ran.
    #[serde(default)]
    pub missed: bool,
}

impl Job for PricingReconcile {
    const KIND: &'static str = "pricing.reconcile";
    const QUEUE: &'static str = "reconciliation";
    const PRIORITY: i64 = 8;

    fn keys(&self) -> Keys {
        let (org, date) = (&self.org_id, &self.local_date);
        // One by the clock for every local date, also when the organisation changes its zone.
        Keys::once(match self.trigger_kind {
            Trigger::Scheduled => format!("recon:{org}:{date}"),
            Trigger::Manual => format!("recon:{org}:{date}:m{}", self.attempt_no),
        })
    }

    fn policy() -> Policy {
        Policy::standard(5).timeout(Duration::from_secs(600))
    }
}

impl Handler<App> for PricingReconcile {
    type Hooks = Self;

    /// Begins the run, or has it carried on.
    async fn run(self, ctx: JobContext<App>) -> JobResult {
        let mut tx = ctx.begin().await?;
        let begun = pricing::begin(&Enqueuer::of(&ctx), &mut tx, &self).await?;
        let run = begun.run;
        if begun.resumed && run.status == RunStatus::Completed {
            return Ok(Outcome::skip(format!("run {} is completed", run.id)));
        }
        tx.commit().await?;
        Ok(Outcome::done_with(json!({"runId": run.id, "resumed": begun.resumed})))
    }
}

impl Hooks for PricingReconcile {
    /// A check that could not begin has failed.
    async fn on_dead(job: &Self, tx: &mut Tx, dead: &DeadJob) -> Result<(), JobError> {
        let by = Actor::system(dead.info.id.as_str());
        reconciliation::fail(tx, &job.org_id, None, &dead.error, &by, &dead.info.id, dead.at).await.or_decide()
    }

    /// A check that was completed meanwhile needs no second one.
    async fn on_retry(job: &Self, tx: &mut Tx, _: &RetriedJob) -> Result<Revival, JobError> {
        let run = reconciliation::of_day(tx, &job.org_id, &job.local_date, job.trigger_kind, job.attempt_no);
        Ok(match run.await.or_decide()? {
            Some(run) if run.status == RunStatus::Completed => {
                Revival::Pointless(format!("run {} is completed", run.id))
            }
            _ => Revival::Ready,
        })
    }
}
