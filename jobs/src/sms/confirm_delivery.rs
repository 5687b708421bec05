//! Finds out the outcome of a text whose request ended without an answer, before it is sent again.
//!
//! Asks the carrier for its messages between the same numbers since the attempt began, and leaves out those that belong
//! to other texts. A remaining message with the same body is this text. A remaining message with another body may be
//! this text as the carrier altered it: then nothing is sent, and an exception is raised. Only if two answers contain
//! no remaining message is the text sent again, and only once. An answer from a time when the attempt might still have
//! sent the text does not count, nor does one about an earlier attempt.

mod payload;

use std::time::Duration;

use nightshift_db::{Timestamp, Tx};
use nightshift_domain::actor::Actor;
use nightshift_domain::ids::MessageId;
use nightshift_domain::messaging::delivery::{self, Because, Envelope, effect_key};
use nightshift_domain::messaging::message::MessageStatus;
use nightshift_providers::sms::{Candidate, Carrier, Lookup};
use nightshift_queue::effects::Effect;
use nightshift_queue::{
    DeadJob, Handler, Hooks, JobContext, JobError, JobResult, Outcome, RetriedJob, Revival, effects,
};
use serde_json::json;

use super::effect::{EFFECT, revive};
use super::report::{self, Report};
use crate::enqueuer::Enqueuer;
use crate::job_error::OrJobError;
use crate::proof::proven_from;
use crate::{App, provider_calls, sms};

pub use payload::SmsConfirmDelivery;

/// The time between two requests. The carrier's list lags behind.
const ASK_AGAIN: Duration = Duration::from_secs(60);
/// The step that records the first answer without the text, followed by the time of the attempt. The text is sent again
/// after a later answer without it.
const WITHOUT_IT: &str = "the provider did not list it";
/// Why there is nothing to do.
const KNOWN: &str = "the outcome of the text is now known";
/// After this many answers, a message that still belongs to no text of ours may be this one, so nothing is sent and an
/// exception is raised. Until then it may turn out to be another text of ours with an unknown outcome.
const ANSWERS_IN_DOUBT: i64 = 5;

impl Handler<App> for SmsConfirmDelivery {
    type Hooks = Self;

    /// Asks the carrier and settles the text.
    async fn run(self, ctx: JobContext<App>) -> JobResult {
        let id = &self.message_event_id;
        let mut tx = ctx.begin().await?;
        let unclear = unclear(&mut tx, id, ctx.now()).await?;
        tx.rollback().await?;
        let Some(unclear) = unclear else { return Ok(Outcome::skip(KNOWN)) };
        let envelope = &unclear.envelope;
        let sender = ctx.app.carriers().sender(envelope.provider).map_err(JobError::fail)?;
        let listed_at = ctx.now();
        let candidates = ask(sender, envelope).await?;

        let answers = ctx.job.polls + 1;
        let (by, now) = (Actor::system(ctx.job.id.as_str()), ctx.now());
        let mut tx = ctx.begin().await?;
        // This process may have been frozen, and others may have settled the attempt and begun another one.
        let current = self::unclear(&mut tx, id, now).await?;
        let same = current.as_ref().is_some_and(|current| current.asked_at() == unclear.asked_at());
        let effect = unclear.effect.as_ref();
        let verdict = match finding(unclaimed(&mut tx, candidates).await?) {
            Finding::Found(found) => {
                adopt(&ctx, &mut tx, id, &found, sender, &by, now).await?;
                if let Some(effect) = effect {
                    effects::confirm(&mut tx, &effect.id, &found.message.sid, now).await?;
                }
                "found at the provider"
            }
            _ if current.is_none() => return Ok(Outcome::skip(KNOWN)),
            _ if !same => return Ok(Outcome::poll(ASK_AGAIN)),
            Finding::Unknown if answers < ANSWERS_IN_DOUBT => return Ok(Outcome::poll(ASK_AGAIN)),
            Finding::Unknown => {
                delivery::record_refused(&mut tx, id, delivery::POSSIBLY_SENT, Because::Other, &by, now)
                    .await
                    .or_job_error()?;
                refuse(&mut tx, effect, "the provider lists a text that may be this one", now).await?;
                "an exception was opened: the text may have been sent"
            }
            Finding::Nothing if listed_at < proven_from(unclear.asked_at()) => return Ok(Outcome::poll(ASK_AGAIN)),
            Finding::Nothing if !is_the_second_without_it(&ctx, &mut tx, unclear.asked_at(), now).await? => {
                tx.commit().await?;
                return Ok(Outcome::poll(ASK_AGAIN));
            }
            Finding::Nothing => {
                if delivery::resend_once(&mut tx, id, now).await.or_job_error()? {
                    if let Some(effect) = effect {
                        effects::not_sent(&mut tx, effect, "the provider does not list the text", now).await?;
                    }
                    let text = delivery::load(&mut tx, id).await.or_job_error()?;
                    sms::send_again(&Enqueuer::of(&ctx), &mut tx, &text, None).await?;
                    "sent again"
                } else {
                    delivery::record_refused(&mut tx, id, "unconfirmed", Because::Other, &by, now)
                        .await
                        .or_job_error()?;
                    refuse(&mut tx, effect, "the provider did not list the text in two look-ups", now).await?;
                    "failed: not listed after it was sent again"
                }
            }
        };
        tx.commit().await?;
        tracing::info!(message.id = %id, verdict, "looked up a text with an unknown outcome");
        Ok(Outcome::done_with(json!({"verdict": verdict})))
    }
}

/// An attempt whose outcome is unknown.
struct Unclear {
    envelope: Envelope,
    /// Its record in the ledger of effects.
    effect: Option<Effect>,
}

impl Unclear {
    /// The time of the attempt, which identifies it.
    fn asked_at(&self) -> Timestamp {
        self.effect.as_ref().and_then(|effect| effect.asked_at).unwrap_or(self.envelope.send_started_at)
    }
}

/// Returns the last attempt to send the text, or `None` if its outcome is known. Locks the text, of which no other
/// attempt begins until the transaction ends.
async fn unclear(tx: &mut Tx, id: &MessageId, now: Timestamp) -> Result<Option<Unclear>, JobError> {
    let Some(envelope) = delivery::unclear(tx, id, now).await.or_job_error()? else { return Ok(None) };
    let text = delivery::load(tx, id).await.or_job_error()?;
    Ok(Some(Unclear { envelope, effect: effects::find(tx, EFFECT, &effect_key(id, text.given_back)).await? }))
}

async fn refuse(tx: &mut Tx, effect: Option<&Effect>, why: &str, now: Timestamp) -> Result<(), JobError> {
    if let Some(effect) = effect {
        effects::refuse(tx, effect, why, now).await?;
    }
    Ok(())
}

/// Whether an earlier answer about the same attempt, long enough ago, did not contain the text either. Records this
/// answer if there is none.
async fn is_the_second_without_it(
    ctx: &JobContext<App>,
    tx: &mut Tx,
    asked_at: Timestamp,
    now: Timestamp,
) -> Result<bool, JobError> {
    let step = format!("{WITHOUT_IT} ({asked_at})");
    match ctx.step_finished_at(tx, &step).await? {
        Some(first) => Ok(now >= first + ASK_AGAIN),
        None => {
            ctx.step_done(tx, &step, json!({})).await?;
            Ok(false)
        }
    }
}

/// What the carrier's answer says about the text.
enum Finding {
    /// This message is the text.
    Found(Candidate),
    /// There are messages that belong to no text of ours. One of them may be the text.
    Unknown,
    /// The carrier has no message that could be the text.
    Nothing,
}

/// Of several messages with the same body the oldest is chosen: the others belong to texts that were sent later.
fn finding(unclaimed: Vec<Candidate>) -> Finding {
    let doubt = !unclaimed.is_empty();
    match unclaimed.into_iter().find(|candidate| candidate.same_text) {
        Some(found) => Finding::Found(found),
        None if doubt => Finding::Unknown,
        None => Finding::Nothing,
    }
}

/// Records the message as this text and applies its status, because a report that arrived while the SID was unknown is
/// not sent again. Another text may claim the same message at the same time; one of the two then retries.
async fn adopt(
    ctx: &JobContext<App>,
    tx: &mut Tx,
    id: &MessageId,
    found: &Candidate,
    sender: &dyn Carrier,
    by: &Actor,
    now: Timestamp,
) -> Result<(), JobError> {
    let sid = &found.message.sid;
    if let Err(error) = delivery::adopt_sid(tx, id, sid, by, now).await {
        let taken = matches!(&error, nightshift_domain::Error::Db(error) if error.is_unique_violation());
        return if taken { Err(JobError::retry(error)) } else { Err(error).or_job_error() };
    }
    let error_code = found.error_code.as_deref();
    let refusal = error_code.and_then(|code| sender.undelivered(code));
    let report = Report { sid, delivery: found.message.delivery, error_code, refusal, received_at: now };
    report::apply(&Enqueuer::of(ctx), tx, &report, by, now).await?;
    Ok(())
}

async fn ask(sender: &dyn Carrier, envelope: &Envelope) -> Result<Vec<Candidate>, JobError> {
    let lookup = Lookup {
        from: envelope.from.e164(),
        to: envelope.to.e164(),
        body: envelope.body.clone(),
        since: envelope.send_started_at.to_datetime(),
    };
    let answer = sender.candidates(envelope.message_id.as_str(), &lookup).await;
    provider_calls::count(sender.name(), "lookup", if answer.is_ok() { "ok" } else { "failed" });
    answer.map_err(|error| {
        if error.is_permanent() {
            return JobError::fail(&error);
        }
        let retry = JobError::retry(&error);
        error.retry_after().map_or(retry.clone(), |wait| retry.after(wait))
    })
}

/// Returns the candidates that belong to no text yet. Other texts to the same client were sent before and since. A text
/// that the carrier gave back has no SID any more; the ledger keeps it.
async fn unclaimed(tx: &mut Tx, candidates: Vec<Candidate>) -> Result<Vec<Candidate>, JobError> {
    let mut unclaimed = Vec::new();
    for candidate in candidates {
        let sid = &candidate.message.sid;
        let known = delivery::find_by_sid(tx, sid).await.or_job_error()?.is_some();
        if !known && !effects::is_accepted(tx, EFFECT, sid).await? {
            unclaimed.push(candidate);
        }
    }
    Ok(unclaimed)
}

impl Hooks for SmsConfirmDelivery {
    /// Marks the text as failed and raises an exception, because its outcome could not be found out.
    async fn on_dead(job: &Self, tx: &mut Tx, dead: &DeadJob) -> Result<(), JobError> {
        let by = Actor::system(dead.info.id.as_str());
        delivery::record_refused(tx, &job.message_event_id, "unconfirmed", Because::Other, &by, dead.at)
            .await
            .or_job_error()
    }

    /// Moves the text back to `unconfirmed`, so that the carrier is asked again.
    async fn on_retry(job: &Self, tx: &mut Tx, retried: &RetriedJob) -> Result<Revival, JobError> {
        let revival = revive(tx, &job.message_event_id, retried).await?;
        let unclear =
            delivery::load(tx, &job.message_event_id).await.or_job_error()?.status == MessageStatus::Unconfirmed;
        Ok(match revival {
            Revival::Ready if !unclear => Revival::Pointless("the text was not sent".to_owned()),
            revival => revival,
        })
    }
}
