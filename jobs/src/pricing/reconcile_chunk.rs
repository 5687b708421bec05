//! Goes over an organisation's bookings and compares what each should cost with what is stored.
//!
//! Reading and comparing needs no transaction. What was found is recorded in one that also moves the run's cursor, and
//! that the database keeps from writing bookings or prices. A job does a number of chunks and hands the run over to the
//! next in the transaction of its last one; a run belongs to one job at a time, so one that was cut off goes on where
//! it was, and one that is run twice does nothing the second time.

mod payload;

use nightshift_db::{Tx, failpoint};
use nightshift_domain::actor::Actor;
use nightshift_domain::reconciliation::{self, Check, Progress, Shielded};
use nightshift_domain::viewer::Viewer;
use nightshift_queue::{DeadJob, Handler, Hooks, JobContext, JobError, JobResult, Outcome, RetriedJob, Revival};
use serde_json::json;

use crate::app::Reconciliation;
use crate::decide::OrDecide;
use crate::enqueuer::Enqueuer;
use crate::{App, pricing};

pub use payload::PricingReconcileChunk;

/// Chunks of one job: enough that claiming and finishing it costs next to nothing, few enough that it ends in a second.
const CHUNKS: usize = 25;

impl Handler<App> for PricingReconcileChunk {
    type Hooks = Self;

    /// Carries the run on.
    async fn run(self, ctx: JobContext<App>) -> JobResult {
        let Reconciliation { chunk_size, lookback, thresholds } = ctx.app.reconciliation();
        let mut run = reconciliation::get(ctx.db(), &Viewer::all(), &self.run_id).await.or_decide()?;
        let check = Check::load(ctx.db(), &run.org_id, chunk_size, lookback, thresholds).await.or_decide()?;
        for chunk in 1..=CHUNKS {
            ctx.checkpoint()?;
            let findings = reconciliation::examine(ctx.db(), &run, &check).await.or_decide()?;
            failpoint::hit("pricing.reconcile.chunk.examined").await?;
            let mut shielded = Shielded::over(ctx.begin().await?).await.or_decide()?;
            let progress =
                reconciliation::record(&mut shielded, &run, &findings, &ctx.job.id, ctx.now()).await.or_decide()?;
            match progress {
                Progress::NotOurs => return Ok(Outcome::skip("another job continues the run, or the run has ended")),
                Progress::More(advanced) => run = *advanced,
                Progress::Completed(_) => {
                    shielded.commit().await.or_decide()?;
                    return Ok(Outcome::done_with(json!({"completed": true})));
                }
            }
            if chunk == CHUNKS {
                pricing::carry_on(&Enqueuer::of(&ctx), shielded.tx(), &run).await?;
            }
            shielded.commit().await.or_decide()?;
            failpoint::hit("pricing.reconcile.chunk.recorded").await?;
        }
        Ok(Outcome::done())
    }
}

impl Hooks for PricingReconcileChunk {
    /// A run that nobody carries on has failed; a retry of this job goes on where it was.
    async fn on_dead(job: &Self, tx: &mut Tx, dead: &DeadJob) -> Result<(), JobError> {
        let by = Actor::system(dead.info.id.as_str());
        reconciliation::fail(tx, &job.org_id, Some(&job.run_id), &dead.error, &by, &dead.info.id, dead.at)
            .await
            .or_decide()
    }

    /// A run goes on where it was, unless it is completed or in other hands.
    async fn on_retry(job: &Self, tx: &mut Tx, retried: &RetriedJob) -> Result<Revival, JobError> {
        Ok(if reconciliation::is_carried_by(tx, &job.run_id, &retried.id).await.or_decide()? {
            Revival::Ready
        } else {
            Revival::Pointless("another job continues the run, or the run is completed".to_owned())
        })
    }
}
