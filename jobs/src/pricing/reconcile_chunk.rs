//! Goes over an organisation's bookings and compares what each should cost with what is stored.
//!
//! Reading and comparing needs no transaction. The findings are recorded in a transaction that also moves the run's
//! cursor, and in which the database refuses writes to bookings and prices. A job processes several chunks and hands
//! the run over to the next job in the transaction of its last chunk. A run belongs to one job at a time, so a run that
//! is interrupted continues from its cursor, and a job that runs twice does nothing the second time.

mod payload;

use nightshift_db::{Tx, failpoint};
use nightshift_domain::actor::Actor;
use nightshift_domain::reconciliation::{self, Check, RunProgress, Shielded};
use nightshift_domain::viewer::Viewer;
use nightshift_queue::{DeadJob, Handler, Hooks, JobContext, JobError, JobResult, Outcome, RetriedJob, Revival};
use serde_json::json;

use crate::app::Reconciliation;
use crate::enqueuer::Enqueuer;
use crate::job_error::OrJobError;
use crate::{App, pricing};

pub use payload::PricingReconcileChunk;

/// The number of chunks of one job: enough to make the cost of claiming and finishing a job negligible, few enough that
/// the job ends within a second.
const CHUNKS: usize = 25;

impl Handler<App> for PricingReconcileChunk {
    type Hooks = Self;

    /// Continues the run.
    async fn run(self, ctx: JobContext<App>) -> JobResult {
        let Reconciliation { chunk_size, lookback, thresholds } = ctx.app.reconciliation();
        let mut run = reconciliation::get(ctx.db(), &Viewer::all(), &self.run_id).await.or_job_error()?;
        let check = Check::load(ctx.db(), &run.org_id, chunk_size, lookback, thresholds).await.or_job_error()?;
        for chunk in 1..=CHUNKS {
            ctx.checkpoint()?;
            let findings = reconciliation::examine(ctx.db(), &run, &check).await.or_job_error()?;
            failpoint::hit("pricing.reconcile.chunk.examined").await?;
            let mut shielded = Shielded::over(ctx.begin().await?).await.or_job_error()?;
            let progress =
                reconciliation::record(&mut shielded, &run, &findings, &ctx.job.id, ctx.now()).await.or_job_error()?;
            match progress {
                RunProgress::NotOurs => {
                    return Ok(Outcome::skip("another job continues the run, or the run has ended"));
                }
                RunProgress::More(advanced) => run = *advanced,
                RunProgress::Completed(_) => {
                    shielded.commit().await.or_job_error()?;
                    return Ok(Outcome::done_with(json!({"completed": true})));
                }
            }
            if chunk == CHUNKS {
                pricing::carry_on(&Enqueuer::of(&ctx), shielded.tx(), &run).await?;
            }
            shielded.commit().await.or_job_error()?;
            failpoint::hit("pricing.reconcile.chunk.recorded").await?;
        }
        Ok(Outcome::done())
    }
}

impl Hooks for PricingReconcileChunk {
    /// Marks the run as failed. A retry of this job continues from the cursor.
    async fn on_dead(job: &Self, tx: &mut Tx, dead: &DeadJob) -> Result<(), JobError> {
        let by = Actor::system(dead.info.id.as_str());
        reconciliation::fail(tx, &job.org_id, Some(&job.run_id), &dead.error, &by, &dead.info.id, dead.at)
            .await
            .or_job_error()
    }

    /// Continues the run, unless it is completed or another job carries it on.
    async fn on_retry(job: &Self, tx: &mut Tx, retried: &RetriedJob) -> Result<Revival, JobError> {
        Ok(if reconciliation::is_carried_by(tx, &job.run_id, &retried.id).await.or_job_error()? {
            Revival::Ready
        } else {
            Revival::Pointless("another job continues the run, or the run is completed".to_owned())
        })
    }
}
