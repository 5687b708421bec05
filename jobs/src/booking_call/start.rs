//! Places a call that books an appointment, once.
//!
//! The intent is committed in the ledger of effects before the request to VAPI. An attempt that finds an intent without
//! an answer can't know whether the phone rang, so it looks the call up at VAPI by our own id of it. The call is placed
//! only if VAPI answers that it knows no such call, after no earlier attempt can place it any more. If the lookup fails, the job retries it; if no lookup succeeds, the
//! call ends without a second ring, the person may choose again, and an exception shows why.

mod payload;

use std::time::Duration;

use nightshift_db::{Timestamp, Tx};
use nightshift_domain::Error;
use nightshift_domain::actor::Actor;
use nightshift_domain::calls::{self, Appointment, Call, CallMode, Ending, StartDecision};
use nightshift_domain::ids::CallId;
use nightshift_providers::vapi::{Lookup, StartError};
use nightshift_queue::effects::{Answer, Decision, Effect, Expired, Performable, Performed, Permit, perform, settle};
use nightshift_queue::{DeadJob, Handler, Hooks, JobContext, JobError, JobResult, Outcome, RetriedJob, Revival};
use serde_json::json;

use super::{ending, mode_of};
use crate::dialer::Dialer;
use crate::enqueuer::Enqueuer;
use crate::job_error::OrJobError;
use crate::proof::{LIST_PROVES_AFTER, proven_from};
use crate::{App, booking_call, provider_calls};

pub use payload::BookingCallStart;

impl Handler<App> for BookingCallStart {
    type Hooks = Self;

    /// Places the call, or simulates it.
    async fn run(self, ctx: JobContext<App>) -> JobResult {
        let by = Actor::system(ctx.job.id.as_str());
        let placing = Placing { ctx: &ctx, id: &self.booking_call_id, dialer: ctx.app.dialer(), by };
        match perform(&ctx, &placing).await? {
            Performed::Ended(ended) => ended,
            Performed::Settled(record) => placing.take_over(&record).await,
            Performed::Unclear(Some(record)) => placing.find_out(&record).await,
            Performed::Unclear(None) => Err(JobError::fail("the ledger of effects does not know the call")),
        }
    }
}

struct Placing<'a> {
    ctx: &'a JobContext<App>,
    id: &'a CallId,
    dialer: &'a Dialer,
    by: Actor,
}

impl Performable for Placing<'_> {
    const KIND: &'static str = "booking_call";
    type Request = Box<Call>;
    type Error = NotPlaced;

    fn key(&self) -> &str {
        self.id.as_str()
    }

    /// Decides which phone the call reaches. A simulated call ends here.
    async fn begin(&self, tx: &mut Tx, now: Timestamp) -> Result<Decision<Box<Call>>, JobError> {
        let call = match calls::begin(tx, self.id, &self.dialer.dialing(), &self.by, now).await {
            Ok(StartDecision::Start(call, _)) => call,
            Ok(StartDecision::Skip(why)) => return Ok(Decision::Over(Ok(Outcome::skip(why)))),
            Err(Error::Conflict { message, .. }) => {
                return Ok(Decision::Over(self.end(tx, Ending::Failed { reason: message }).await?));
            }
            Err(error) => return Err(error).or_job_error(),
        };
        tell_determination(&call);
        if matches!(self.dialer, Dialer::Simulated) {
            return Ok(Decision::Over(self.end(tx, made_up(&call, now)).await?));
        }
        let mode = mode_of(call.mode);
        Ok(Decision::Ask { request: call, mode })
    }

    async fn ask(&self, permit: Permit<Box<Call>>) -> Result<Answer<NotPlaced>, Expired> {
        let answer = match self.dialer {
            Dialer::Simulated => return Ok(Answer::NotSent(NotPlaced::MadeUp)),
            Dialer::Test(line) => line.start(permit, self.ctx.app.vapi_webhook()).await?,
            Dialer::Production(line) => line.start(permit, self.ctx.app.vapi_webhook()).await?,
        };
        provider_calls::count("vapi", "start", answer.as_ref().map_or_else(StartError::class, |_| "ok"));
        Ok(match answer {
            Ok(started) => Answer::Taken(started.id),
            Err(error @ (StartError::NotSent { .. } | StartError::RateLimited { .. })) => Answer::NotSent(error.into()),
            Err(error @ StartError::Refused { .. }) => Answer::Refused(error.into()),
            Err(error @ StartError::Unclear { .. }) => Answer::Unclear(error.to_string()),
        })
    }

    /// Records a placed call, which is polled from then on until it ends.
    async fn settle(&self, tx: &mut Tx, answer: &Answer<NotPlaced>, now: Timestamp) -> Result<JobResult, JobError> {
        match answer {
            Answer::Taken(vapi_call_id) => {
                let (mode, at) = (self.dialer.dialing().mode(), now + self.ctx.app.poll_interval());
                let enqueuer = Enqueuer::of(self.ctx);
                booking_call::record_placed(&enqueuer, tx, self.id, mode, vapi_call_id, &self.by, at).await?;
                Ok(Ok(Outcome::done_with(json!({"vapiCallId": vapi_call_id}))))
            }
            Answer::NotSent(NotPlaced::Unlisted) => {
                calls::not_started(tx, self.id, now).await.or_job_error()?;
                Ok(Ok(Outcome::poll(Duration::from_millis(1))))
            }
            Answer::NotSent(error) => Ok(Err(error.to_retry())),
            Answer::Refused(error) => self.end(tx, Ending::Failed { reason: error.to_string() }).await,
            Answer::Unclear(doubt) => {
                self.ctx.note(doubt);
                Ok(Ok(Outcome::poll(LIST_PROVES_AFTER)))
            }
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum NotPlaced {
    /// VAPI answered with an error.
    #[error(transparent)]
    Start(#[from] StartError),
    /// VAPI's list of calls does not contain it, after an earlier attempt.
    #[error("VAPI does not list the call")]
    Unlisted,
    /// This program only simulates calls.
    #[error("a simulated call is never placed")]
    MadeUp,
}

impl NotPlaced {
    fn to_retry(&self) -> JobError {
        let retry = JobError::retry(self);
        match self {
            Self::Start(StartError::RateLimited { retry_after: Some(wait) }) => retry.after(*wait),
            Self::MadeUp => JobError::fail(self),
            _ => retry,
        }
    }
}

impl Placing<'_> {
    /// Ends the call and enqueues the text to the person.
    async fn end(&self, tx: &mut Tx, ending: Ending) -> Result<JobResult, JobError> {
        booking_call::finish(&Enqueuer::of(self.ctx), tx, self.id, &ending, None, &self.by).await?;
        Ok(Ok(Outcome::done_with(json!({"ended": true}))))
    }

    /// Continues from an earlier attempt whose result is in the ledger.
    async fn take_over(&self, record: &Effect) -> JobResult {
        match &record.provider_ref {
            Some(vapi_call_id) => settle(self.ctx, self, Some(record), &Answer::Taken(vapi_call_id.clone())).await?,
            None => Ok(Outcome::skip("VAPI refused the call")),
        }
    }

    /// Looks for the call of an earlier attempt, which may have made the phone ring.
    async fn find_out(&self, record: &Effect) -> JobResult {
        let now = self.ctx.now();
        let asked_at = record.asked_at.unwrap_or(now);
        let proven_from = proven_from(asked_at);
        if proven_from > now {
            return Ok(Outcome::poll(proven_from.since(now)));
        }
        let answer = self.look_up(asked_at).await?;
        settle(self.ctx, self, Some(record), &answer).await?
    }

    async fn look_up(&self, asked_at: Timestamp) -> Result<Answer<NotPlaced>, JobError> {
        let vapi = self.dialer.records().ok_or_else(|| JobError::fail("this program has no connection to VAPI"))?;
        let call = calls::peek(self.ctx.db(), self.id).await.or_job_error()?;
        let lookup = Lookup {
            name: call.execution_id,
            booking_call_id: call.id.as_str().to_owned(),
            since: asked_at.to_datetime(),
        };
        let found = vapi.find(&lookup).await;
        provider_calls::count("vapi", "find", if found.is_ok() { "ok" } else { "failed" });
        if let Some(found) = found.map_err(JobError::retry)? {
            return Ok(Answer::Taken(found.id));
        }
        tracing::info!(call.id = %call.id, request.id = %call.service_request_id, "a call with an unknown outcome was never placed");
        Ok(Answer::NotSent(NotPlaced::Unlisted))
    }
}

/// Logs which phone the call reaches and why, with masked numbers.
fn tell_determination(call: &Call) {
    let mode = match call.mode {
        CallMode::Simulated => "SIMULATED",
        CallMode::Test => "TEST",
        CallMode::Production => "PRODUCTION",
    };
    let (original, called) = (call.original_phone.masked(), call.phone_to_call.masked());
    tracing::info!(
        mode, originalPhone = %original, phoneToCall = %called, liveCallEnabled = call.mode != CallMode::Simulated,
        call.id = %call.id, "Booking call phone determination"
    );
}

fn made_up(call: &Call, now: Timestamp) -> Ending {
    let or_tbd = |field| call.asked(field).unwrap_or("TBD").to_owned();
    let number = Some(format!("SIM-{}", now.unix_ms()));
    let made = Appointment { date: or_tbd("preferredDate"), time: or_tbd("preferredTime"), number };
    Ending::Confirmed { made, transcript: None }
}

impl Hooks for BookingCallStart {
    async fn on_dead(job: &Self, tx: &mut Tx, dead: &DeadJob) -> Result<(), JobError> {
        ending::give_up(tx, &job.booking_call_id, dead).await
    }

    async fn on_retry(job: &Self, tx: &mut Tx, _: &RetriedJob) -> Result<Revival, JobError> {
        ending::revive(tx, &job.booking_call_id).await
    }
}
