//! Polls a call until it has ended, and then ends it here.
//!
//! A running call is a row with a due time, not a task, so ten thousand calls cost ten thousand rows. The job stores
//! the number of polls, so polling continues after a restart. If a report by webhook ends the call first, there is
//! nothing left to do.

mod payload;

use nightshift_db::Tx;
use nightshift_domain::actor::Actor;
use nightshift_domain::calls::{self, Appointment, Call, Ending};
use nightshift_providers::vapi::Progress;
use nightshift_queue::{DeadJob, Handler, Hooks, JobContext, JobError, JobResult, Outcome, RetriedJob, Revival};
use serde_json::json;

use super::ending::{self, ending_of, ending_with};
use crate::enqueuer::Enqueuer;
use crate::job_error::OrJobError;
use crate::{App, booking_call, provider_calls};

pub use payload::BookingCallPoll;

/// How many polls to wait for the outcome after the poll that first saw the end. VAPI computes the outcome within
/// seconds.
const ANALYSIS_LOOKS: i64 = 6;

impl Handler<App> for BookingCallPoll {
    type Hooks = Self;

    /// Polls the call once.
    async fn run(self, ctx: JobContext<App>) -> JobResult {
        let call = calls::peek(ctx.db(), &self.booking_call_id).await.or_job_error()?;
        if call.status.is_final() {
            return Ok(Outcome::skip(format!("the call is {}", call.status)));
        }
        let (Some(vapi), Some(vapi_call_id)) = (ctx.app.dialer().records(), &call.vapi_call_id) else {
            return Err(JobError::fail("this program has no connection to VAPI, or the call was never placed"));
        };
        let look = ctx.job.polls + 1;
        let seen = vapi.get(vapi_call_id).await;
        provider_calls::count("vapi", "get", if seen.is_ok() { "ok" } else { "failed" });
        let again = Ok(Outcome::poll(ctx.app.poll_interval()));
        match seen.map(|seen| seen.progress()) {
            Ok(Progress::Analysing(outcome)) => {
                let mut tx = ctx.begin().await?;
                let first = calls::analysing(&mut tx, &call.id, look, ctx.now()).await.or_job_error()?;
                tx.commit().await?;
                if look - first < ANALYSIS_LOOKS {
                    again
                } else {
                    finish(&ctx, &call, ending_with(outcome, &call), look).await
                }
            }
            Ok(Progress::Underway) | Err(_) if look < ctx.app.polls_max() => again,
            Ok(progress) => finish(&ctx, &call, ending_of(progress, &call).unwrap_or(Ending::TimedOut), look).await,
            Err(_) => finish(&ctx, &call, Ending::TimedOut, look).await,
        }
    }
}

/// Ends the call with `ending`.
async fn finish(ctx: &JobContext<App>, call: &Call, ending: Ending, look: i64) -> JobResult {
    let by = Actor::system(ctx.job.id.as_str());
    match store(ctx, call, &ending, look, &by).await {
        Ok(()) => Ok(Outcome::done_with(json!({"polls": look}))),
        Err(error) => {
            // The person has an appointment even if it could not be stored.
            if let (Ending::Confirmed { made, .. }, true) = (&ending, ctx.job.attempt >= ctx.job.max_attempts)
                && let Err(silent) = notify_despite_failure(ctx, call, made, &by).await
            {
                ctx.note(&format!("the person could not be told either: {silent}"));
            }
            Err(error)
        }
    }
}

async fn store(ctx: &JobContext<App>, call: &Call, ending: &Ending, look: i64, by: &Actor) -> Result<(), JobError> {
    let mut tx = ctx.begin().await?;
    booking_call::finish(&Enqueuer::of(ctx), &mut tx, &call.id, ending, Some(look), by).await?;
    nightshift_db::failpoint::hit("booking_call.complete.before_commit").await?;
    Ok(tx.commit().await?)
}

async fn notify_despite_failure(
    ctx: &JobContext<App>,
    call: &Call,
    made: &Appointment,
    by: &Actor,
) -> Result<(), JobError> {
    let mut tx = ctx.begin().await?;
    booking_call::notify_despite_failure(&Enqueuer::of(ctx), &mut tx, &call.id, made, by).await?;
    Ok(tx.commit().await?)
}

impl Hooks for BookingCallPoll {
    async fn on_dead(job: &Self, tx: &mut Tx, dead: &DeadJob) -> Result<(), JobError> {
        ending::give_up(tx, &job.booking_call_id, dead).await
    }

    async fn on_retry(job: &Self, tx: &mut Tx, _: &RetriedJob) -> Result<Revival, JobError> {
        ending::revive(tx, &job.booking_call_id).await
    }
}
