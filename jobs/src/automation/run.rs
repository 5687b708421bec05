//! Writes an automatic text that is due into its conversation, by the same operation as a person's text.

use std::time::Duration;

use nightshift_db::Tx;
use nightshift_domain::actor::Actor;
use nightshift_domain::automations::ledger::{self, Reopened};
use nightshift_domain::automations::{EXECUTOR, Executed, execute};
use nightshift_domain::ids::AutomationRunId;
use nightshift_queue::{DeadJob, Following, Job, JobContext, JobResult, Keys, Outcome, Policy, RetriedJob, Revival};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::App;
use crate::dead::text;
use crate::decide::OrDecide;
use crate::follow::Follow;

/// What waits for a number is looked at again so often, should nobody wake it.
const LOOK_AGAIN: Duration = Duration::from_secs(600);

/// The wait of something that lacks a number. The first ones are short: whoever finds a number while the job still runs
/// can't wake it.
pub(crate) fn look_again(polls: i64) -> Duration {
    let doublings = u32::try_from(polls).unwrap_or(u32::MAX).min(7);
    LOOK_AGAIN.min(Duration::from_secs(5 << doublings))
}

/// A row of the ledger.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AutomationRun {
    /// The row.
    pub automation_run_id: AutomationRunId,
}

impl Job for AutomationRun {
    const KIND: &'static str = "automation.run";
    const QUEUE: &'static str = "sms";

    fn keys(&self) -> Keys {
        Keys::once(format!("automation:{}", self.automation_run_id))
    }

    fn policy() -> Policy {
        Policy::standard(5).timeout(Duration::from_secs(30))
    }
}

/// Executes the run: its text is stored and its sending follows, in one transaction.
///
/// # Errors
/// The database's.
pub async fn run(job: AutomationRun, ctx: JobContext<App>) -> JobResult {
    let (by, now) = (Actor::system(ctx.job.id.as_str()), ctx.now());
    let mut tx = ctx.begin().await?;
    let executed = execute(&mut tx, &job.automation_run_id, &by, now).await.or_decide()?;
    let outcome = match executed {
        Executed::Written { message_id, thread_id, used_thread } => {
            Follow::of_job(&ctx).text(&mut tx, &message_id, &thread_id, 0).await?;
            tracing::info!(
                operation = EXECUTOR, automation_run.id = %job.automation_run_id, thread.id = %thread_id, used_thread,
                "an automatic text was written"
            );
            Outcome::done_with(json!({"messageEventId": message_id, "usedThread": used_thread}))
        }
        Executed::Hold { until } => Outcome::poll(until.since(now)),
        Executed::Blocked { thread } => {
            if let Some(thread) = thread {
                Follow::of_job(&ctx).number_missing(&mut tx, &thread).await?;
            }
            Outcome::poll(look_again(ctx.job.polls))
        }
        Executed::Ended(status) => Outcome::skip(format!("the run is {status}")),
    };
    tx.commit().await?;
    Ok(outcome)
}

/// A run whose job ended without success is failed.
pub(crate) fn dead<'a>(tx: &'a mut Tx, dead: &'a DeadJob) -> Following<'a, ()> {
    Box::pin(async move {
        let Some(id) = text(&dead.payload, "automationRunId") else { return Ok(()) };
        let by = Actor::system(dead.info.id.as_str());
        ledger::set_failed(tx, &AutomationRunId::from(id), &dead.error, &by, dead.at).await.or_decide()
    })
}

/// A failed run that has written nothing waits for its text again.
pub(crate) fn retried<'a>(tx: &'a mut Tx, retried: &'a RetriedJob) -> Following<'a, Revival> {
    Box::pin(async move {
        let Some(id) = text(&retried.payload, "automationRunId").map(AutomationRunId::from) else {
            return Ok(Revival::Pointless("it names no run".to_owned()));
        };
        let by = Actor::system(&retried.id);
        Ok(match ledger::reopen_failed(tx, &id, &by, retried.at).await.or_decide()? {
            Reopened::Waits => Revival::Ready,
            Reopened::Written => Revival::Pointless("its text is written; retry the job that sends it".to_owned()),
            Reopened::Ended(status) => Revival::Pointless(format!("the run is {status}")),
        })
    })
}
