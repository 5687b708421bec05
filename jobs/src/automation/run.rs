//! Writes a due automatic text into its thread, by the same operation as a person's text.

mod payload;

use nightshift_db::Tx;
use nightshift_domain::actor::Actor;
use nightshift_domain::automations::runs::{self, Reopened};
use nightshift_domain::automations::{EXECUTOR, Executed, execute};
use nightshift_queue::{DeadJob, Handler, Hooks, JobContext, JobError, JobResult, Outcome, RetriedJob, Revival};
use serde_json::json;

use crate::enqueuer::Enqueuer;
use crate::job_error::OrJobError;
use crate::{App, sms, thread};

pub use payload::RunAutomation;

impl Handler<App> for RunAutomation {
    type Hooks = Self;

    /// Executes the run: stores its text and enqueues the sending in one transaction.
    async fn run(self, ctx: JobContext<App>) -> JobResult {
        let (by, now) = (Actor::system(ctx.job.id.as_str()), ctx.now());
        let mut tx = ctx.begin().await?;
        let executed = execute(&mut tx, &self.automation_run_id, &by, now).await.or_job_error()?;
        let outcome = match executed {
            Executed::Written { message_id, thread_id, used_thread } => {
                sms::send(&Enqueuer::of(&ctx), &mut tx, &message_id, &thread_id).await?;
                tracing::info!(
                    operation = EXECUTOR, automation_run.id = %self.automation_run_id, thread.id = %thread_id, used_thread,
                    "an automatic text was written"
                );
                Outcome::done_with(json!({"messageEventId": message_id, "usedThread": used_thread}))
            }
            Executed::Hold { until } => Outcome::poll(until.since(now)),
            Executed::Blocked { thread: without } => {
                if let Some(without) = without {
                    thread::find_number(&Enqueuer::of(&ctx), &mut tx, &without).await?;
                }
                Outcome::poll(thread::look_again(ctx.job.polls))
            }
            Executed::Ended(status) => Outcome::skip(format!("the run is {status}")),
        };
        tx.commit().await?;
        Ok(outcome)
    }
}

impl Hooks for RunAutomation {
    /// Marks the run as failed.
    async fn on_dead(job: &Self, tx: &mut Tx, dead: &DeadJob) -> Result<(), JobError> {
        let by = Actor::system(dead.info.id.as_str());
        runs::set_failed(tx, &job.automation_run_id, &dead.error, &by, dead.at).await.or_job_error()
    }

    /// Reopens a failed run that has not written its text.
    async fn on_retry(job: &Self, tx: &mut Tx, retried: &RetriedJob) -> Result<Revival, JobError> {
        let by = Actor::system(&retried.id);
        Ok(match runs::reopen_failed(tx, &job.automation_run_id, &by, retried.at).await.or_job_error()? {
            Reopened::Waits => Revival::Ready,
            Reopened::Written => {
                Revival::Pointless("its text is already written; retry the job that sends it".to_owned())
            }
            Reopened::Ended(status) => Revival::Pointless(format!("the run is {status}")),
        })
    }
}
