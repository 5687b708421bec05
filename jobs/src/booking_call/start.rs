//! Places a call that books an appointment, once.
//!
//! That a call is about to be placed is committed before VAPI is asked, in the ledger of effects. An attempt that finds
//! that record without an answer may find a phone that is ringing: it looks the call up by our name for it. Only when
//! VAPI answers that it knows of none is the call placed, and a look-up that fails ends the call rather than risk a
//! second ring. When it never succeeds, the person may choose again and somebody sees why.

mod payload;

use std::time::Duration;

use nightshift_db::{Timestamp, Tx, failpoint};
use nightshift_domain::Error;
use nightshift_domain::actor::Actor;
use nightshift_domain::calls::{self, Begun, Call, CallMode, Ending, Made, Request};
use nightshift_domain::ids::CallId;
use nightshift_providers::vapi::{Lookup, StartError, VapiClient};
use nightshift_queue::effects::{self, Effect, EffectState};
use nightshift_queue::{DeadJob, Handler, Hooks, JobContext, JobError, JobResult, Outcome, RetriedJob, Revival};
use serde_json::json;

use super::{ending, mode_of};
use crate::caller::Caller;
use crate::decide::OrDecide;
use crate::enqueuer::Enqueuer;
use crate::{App, booking_call, provider_calls};

pub use payload::BookingCallStart;

/// The ledger's name of the effect.
const EFFECT: &str = "booking_call";
/// A request whose answer was lost may still be worked on; what VAPI lists before that proves nothing.
const SETTLED_AFTER: Duration = Duration::from_secs(30);

impl Handler<App> for BookingCallStart {
    type Hooks = Self;

    /// Places the call, or makes it up.
    async fn run(self, ctx: JobContext<App>) -> JobResult {
        let (by, now) = (Actor::system(ctx.job.id.as_str()), ctx.now());
        let caller = ctx.app.caller();
        let mut tx = ctx.begin().await?;
        let (call, request) = match calls::begin(&mut tx, &self.booking_call_id, &caller.dialing(), &by, now).await {
            Ok(Begun::Start(call, request)) => (call, request),
            Ok(Begun::Not(why)) => return Ok(Outcome::skip(why)),
            Err(Error::Conflict { message, .. }) => {
                return end(&ctx, tx, &self.booking_call_id, Ending::Failed { reason: message }, &by).await;
            }
            Err(error) => return Err(error).or_decide(),
        };
        tell_determination(&call);
        if matches!(caller, Caller::Simulated) {
            return end(&ctx, tx, &call.id, made_up(&call, now), &by).await;
        }
        let (key, mode) = (call.id.as_str(), mode_of(call.mode));
        let effect = effects::reserve(&mut tx, EFFECT, key, Some(&ctx.job.id), mode, now).await?;
        let may_place = effects::ask(&mut tx, &effect.id, now).await?;
        tx.commit().await?;
        let placing = Placing { ctx: &ctx, call: &call, request: &request, effect: &effect, by };
        if !may_place {
            return placing.find_out(caller).await;
        }
        failpoint::hit("booking_call.start.after_ask").await?;
        let answer = match caller {
            Caller::Simulated => return Err(JobError::fail("a made-up call is never placed")),
            Caller::Test(line) => line.start(&call, ctx.app.vapi_webhook()).await,
            Caller::Production(line) => line.start(&call, ctx.app.vapi_webhook()).await,
        };
        failpoint::hit("booking_call.start.after_answer").await?;
        provider_calls::count("vapi", "start", answer.as_ref().map_or_else(StartError::class, |_| "ok"));
        match answer {
            Ok(started) => placing.placed(&started.id).await,
            Err(error) => placing.not_placed(error).await,
        }
    }
}

/// Whom the call reaches and why, without telling the number.
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
    let made = Made { date: or_tbd("preferredDate"), time: or_tbd("preferredTime"), number };
    Ending::Confirmed { made, transcript: None }
}

/// Ends the call and enqueues the text to the person, in one transaction.
async fn end(ctx: &JobContext<App>, mut tx: Tx, call: &CallId, ending: Ending, by: &Actor) -> JobResult {
    booking_call::finish(&Enqueuer::of(ctx), &mut tx, call, &ending, None, by).await?;
    tx.commit().await?;
    Ok(Outcome::done_with(json!({"ended": true})))
}

struct Placing<'a> {
    ctx: &'a JobContext<App>,
    call: &'a Call,
    request: &'a Request,
    effect: &'a Effect,
    by: Actor,
}

impl Placing<'_> {
    /// VAPI has it: from here on it is looked at until it ends.
    async fn placed(&self, vapi_call_id: &str) -> JobResult {
        let now = self.ctx.now();
        let mut tx = self.ctx.begin().await?;
        effects::confirm(&mut tx, &self.effect.id, vapi_call_id, now).await?;
        let at = now + self.ctx.app.poll_interval();
        booking_call::record_placed(&Enqueuer::of(self.ctx), &mut tx, self.call, vapi_call_id, &self.by, at).await?;
        tx.commit().await?;
        Ok(Outcome::done_with(json!({"vapiCallId": vapi_call_id})))
    }

    async fn not_placed(&self, error: StartError) -> JobResult {
        let now = self.ctx.now();
        let mut tx = self.ctx.begin().await?;
        match error {
            StartError::NotSent { .. } | StartError::RateLimited { .. } => {
                effects::not_sent(&mut tx, &self.effect.id, &error.to_string(), now).await?;
                tx.commit().await?;
                let retry = JobError::retry(&error);
                Err(match error {
                    StartError::RateLimited { retry_after: Some(wait) } => retry.after(wait),
                    _ => retry,
                })
            }
            StartError::Refused { .. } => {
                effects::refuse(&mut tx, &self.effect.id, &error.to_string(), now).await?;
                end(self.ctx, tx, &self.call.id, Ending::Failed { reason: error.to_string() }, &self.by).await
            }
            StartError::Ambiguous { .. } => {
                effects::doubt(&mut tx, &self.effect.id, &error.to_string(), now).await?;
                tx.commit().await?;
                self.ctx.note(&error.to_string());
                Ok(Outcome::poll(SETTLED_AFTER))
            }
        }
    }

    /// An earlier attempt may have made a phone ring.
    async fn find_out(&self, caller: &Caller) -> JobResult {
        if let (EffectState::Confirmed, Some(vapi_call_id)) = (self.effect.state, &self.effect.provider_ref) {
            return self.placed(vapi_call_id).await;
        }
        if self.effect.state == EffectState::Refused {
            return Ok(Outcome::skip("VAPI has refused the call"));
        }
        let Some(vapi) = caller.vapi() else { return Err(JobError::fail("this program has no connection to VAPI")) };
        let asked_at = self.effect.asked_at.unwrap_or(self.ctx.now());
        let settled_at = asked_at + SETTLED_AFTER;
        if settled_at > self.ctx.now() {
            return Ok(Outcome::poll(settled_at.since(self.ctx.now())));
        }
        match self.look_up(vapi, asked_at).await? {
            Some(vapi_call_id) => self.placed(&vapi_call_id).await,
            None => {
                let now = self.ctx.now();
                let mut tx = self.ctx.begin().await?;
                effects::not_sent(&mut tx, &self.effect.id, "VAPI lists no such call", now).await?;
                calls::not_started(&mut tx, &self.call.id, now).await.or_decide()?;
                tx.commit().await?;
                tracing::info!(call.id = %self.call.id, request.id = %self.request.id, "a call of unknown fate was never placed");
                Ok(Outcome::poll(Duration::from_millis(1)))
            }
        }
    }

    async fn look_up(&self, vapi: &VapiClient, asked_at: Timestamp) -> Result<Option<String>, JobError> {
        let lookup = Lookup {
            name: self.call.execution_id.clone(),
            booking_call_id: self.call.id.as_str().to_owned(),
            since: asked_at.to_datetime(),
        };
        let found = vapi.find(&lookup).await;
        provider_calls::count("vapi", "find", if found.is_ok() { "ok" } else { "failed" });
        found.map(|found| found.map(|call| call.id)).map_err(JobError::retry)
    }
}

impl Hooks for BookingCallStart {
    async fn on_dead(job: &Self, tx: &mut Tx, dead: &DeadJob) -> Result<(), JobError> {
        ending::give_up(tx, &job.booking_call_id, dead).await
    }

    async fn on_retry(job: &Self, tx: &mut Tx, _: &RetriedJob) -> Result<Revival, JobError> {
        ending::revive(tx, &job.booking_call_id).await
    }
}
