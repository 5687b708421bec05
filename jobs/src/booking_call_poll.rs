//! Looks at a call until it has ended, and ends it here.
//!
//! A call in the air is a row with a time, not a task: ten thousand of them cost ten thousand rows. The looks are
//! counted with the job, so a restart goes on where it was. A report by webhook may end the call first; then there is
//! nothing left to do.

use std::time::Duration;

use nightshift_db::Tx;
use nightshift_domain::actor::Actor;
use nightshift_domain::calls::{self, Call, Completed, Ending, Made};
use nightshift_domain::ids::CallId;
use nightshift_providers::vapi::{CallOutcome, Progress};
use nightshift_queue::{
    DeadJob, ErrorClass, Following, Job, JobContext, JobError, JobResult, Keys, Outcome, Policy, RetriedJob, Revival,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::App;
use crate::dead::text;
use crate::decide::OrDecide;
use crate::follow::Follow;

/// Looks after the first that saw the end without what came of it. VAPI works that out in seconds.
const ANALYSIS_LOOKS: i64 = 6;
/// What a transcript may hold, in characters: a long call, and no more.
const TRANSCRIPT_CHARS_MAX: usize = 100_000;

/// A call in the air.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BookingCallPoll {
    /// The call.
    pub booking_call_id: CallId,
}

impl Job for BookingCallPoll {
    const KIND: &'static str = "booking_call.poll";
    const QUEUE: &'static str = "calls";

    fn keys(&self) -> Keys {
        Keys::dedup(format!("call.poll:{}", self.booking_call_id))
    }

    fn policy() -> Policy {
        Policy::standard(6).timeout(Duration::from_secs(20))
    }
}

/// Looks once.
///
/// # Errors
/// The database's. A look that fails is a look.
pub async fn run(job: BookingCallPoll, ctx: JobContext<App>) -> JobResult {
    let call = calls::peek(ctx.db(), &job.booking_call_id).await.or_decide()?;
    if call.status.is_final() {
        return Ok(Outcome::skip(format!("the call is {}", call.status)));
    }
    let (Some(vapi), Some(vapi_call_id)) = (ctx.app.caller().vapi(), &call.vapi_call_id) else {
        return Err(JobError::fail("this program has no connection to VAPI, or the call was never placed"));
    };
    let look = ctx.job.polls + 1;
    let seen = vapi.get(vapi_call_id).await;
    count("get", if seen.is_ok() { "ok" } else { "failed" });
    let again = Ok(Outcome::poll(ctx.app.poll_interval()));
    match seen.map(|seen| seen.progress()) {
        Ok(Progress::Analysing(outcome)) => {
            let mut tx = ctx.begin().await?;
            let first = calls::analysing(&mut tx, &call.id, look, ctx.now()).await.or_decide()?;
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

/// Ends the call with what came of it.
async fn finish(ctx: &JobContext<App>, call: &Call, ending: Ending, look: i64) -> JobResult {
    let by = Actor::system(ctx.job.id.as_str());
    match store(ctx, call, &ending, look, &by).await {
        Ok(()) => Ok(Outcome::done_with(json!({"polls": look}))),
        Err(error) => {
            // The person has an appointment whether or not we could write it down.
            if let (Ending::Confirmed { made, .. }, true) = (&ending, ctx.job.attempt >= ctx.job.max_attempts)
                && let Err(silent) = tell_anyway(ctx, call, made, &by).await
            {
                ctx.note(&format!("the person could not be told either: {silent}"));
            }
            Err(error)
        }
    }
}

async fn store(ctx: &JobContext<App>, call: &Call, ending: &Ending, look: i64, by: &Actor) -> Result<(), JobError> {
    let mut tx = ctx.begin().await?;
    let completed = calls::complete(&mut tx, &call.id, ending, Some(look), by, ctx.now()).await.or_decide()?;
    if let Completed::Now { run: Some(run) } = &completed {
        Follow::of_job(ctx).run(&mut tx, run).await?;
    }
    nightshift_db::failpoint::hit("booking_call.complete.before_commit").await?;
    Ok(tx.commit().await?)
}

async fn tell_anyway(ctx: &JobContext<App>, call: &Call, made: &Made, by: &Actor) -> Result<(), JobError> {
    let mut tx = ctx.begin().await?;
    if let Some(run) = calls::tell_anyway(&mut tx, &call.id, made, by, ctx.now()).await.or_decide()? {
        Follow::of_job(ctx).run(&mut tx, &run).await?;
    }
    Ok(tx.commit().await?)
}

/// How our call ends by what VAPI tells; not yet while more may come.
pub(crate) fn ending_of(progress: Progress, call: &Call) -> Option<Ending> {
    match progress {
        Progress::Underway | Progress::Analysing(_) => None,
        Progress::Ended(outcome) => Some(ending_with(outcome, call)),
        Progress::Lost { status } => Some(Ending::Failed { reason: format!("VAPI lists the call as {status}") }),
    }
}

/// The end with this outcome. A date or time that the model left out is the one that was wished for.
fn ending_with(outcome: CallOutcome, call: &Call) -> Ending {
    let transcript =
        outcome.transcript.map(|text| text.chars().filter(|c| *c != '\0').take(TRANSCRIPT_CHARS_MAX).collect());
    match outcome.confirmation {
        Some(confirmation) => {
            let or_wished =
                |given: Option<String>, wished| given.unwrap_or_else(|| call.asked(wished).unwrap_or("TBD").to_owned());
            let made = Made {
                date: or_wished(confirmation.date, "preferredDate"),
                time: or_wished(confirmation.time, "preferredTime"),
                number: confirmation.number,
            };
            Ending::Confirmed { made, transcript }
        }
        None => Ending::NotConfirmed { transcript, reason: outcome.ended_reason },
    }
}

/// Counts an answer of VAPI's.
pub(crate) fn count(call: &'static str, outcome: &'static str) {
    metrics::counter!("nightshift_provider_calls_total", "provider" => "vapi", "call" => call, "outcome" => outcome)
        .increment(1);
}

/// A call that nobody looks at any more has failed for us, or was not wanted any more.
pub(crate) fn dead<'a>(tx: &'a mut Tx, dead: &'a DeadJob) -> Following<'a, ()> {
    Box::pin(fail(tx, dead))
}

pub(crate) async fn fail(tx: &mut Tx, dead: &DeadJob) -> Result<(), JobError> {
    let Some(id) = text(&dead.payload, "bookingCallId") else { return Ok(()) };
    let by = Actor::system(dead.info.id.as_str());
    let ending = match dead.class {
        ErrorClass::Cancelled => Ending::Cancelled,
        _ => Ending::Failed { reason: dead.error.clone() },
    };
    // Only an appointment has a text that follows.
    let _ = calls::complete(tx, &CallId::from(id), &ending, None, &by, dead.at).await.or_decide()?;
    Ok(())
}

/// A call that is over is not placed or looked at again: the person may have chosen somebody else meanwhile.
pub(crate) fn retried<'a>(tx: &'a mut Tx, retried: &'a RetriedJob) -> Following<'a, Revival> {
    Box::pin(async move {
        let Some(id) = text(&retried.payload, "bookingCallId").map(CallId::from) else {
            return Ok(Revival::Pointless("it names no call".to_owned()));
        };
        let (call, _) = calls::lock(tx, &id).await.or_decide()?;
        Ok(if call.status.is_final() {
            Revival::Pointless(format!("the call is over ({}); ask for a new one at its request", call.status))
        } else {
            Revival::Ready
        })
    })
}
