//! Sends one text, once.
//!
//! The intent is committed before the request to the carrier, as the status `sending` and in the ledger of effects. An
//! attempt that finds the intent can't know whether the text was sent, so it sends nothing and leaves the text to
//! [`sms.confirm_delivery`](super::confirm_delivery).

mod payload;

use std::time::Duration;

use nightshift_db::{Timestamp, Tx};
use nightshift_domain::actor::Actor;
use nightshift_domain::ids::MessageId;
use nightshift_domain::messaging::delivery::{self, Because, Envelope, Outbound};
use nightshift_domain::messaging::masking;
use nightshift_domain::messaging::message::MessageStatus;
use nightshift_domain::messaging::numbers::{self, SmsCarrier};
use nightshift_providers::sms::{Carrier, Intent, Refusal, SendError, SendMessage};
use nightshift_queue::effects::{Answer, Decision, Effect, Expired, Performable, Performed, Permit, perform, settle};
use nightshift_queue::{
    DeadJob, ErrorClass, Handler, Hooks, JobContext, JobError, JobResult, Outcome, RetriedJob, Revival,
};
use serde_json::json;

use super::effect::{EFFECT, revive};
use super::report::because;
use crate::carriers::{NoCarrier, mode};
use crate::enqueuer::Enqueuer;
use crate::job_error::OrJobError;
use crate::{App, provider_calls, sms, thread};

pub use payload::SmsSend;

/// The time after which a simulated text counts as delivered.
const MOCK_DELIVERED_AFTER: Duration = Duration::from_secs(1);
/// The time after which a text that an earlier attempt has put back into the queue is sent.
const SEND_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// A text that waited this long for its thread's number fails, because its content may be outdated. An operator may
/// retry the job.
const NUMBER_AWAITED: Duration = Duration::from_secs(24 * 3600);

/// Why a job changes nothing that sent the text before the carrier gave it back. Another job sends it again, as an effect
/// of its own.
const GIVEN_BACK: &str = "the carrier has given the text back since, and another job sends it";

impl Handler<App> for SmsSend {
    type Hooks = Self;

    /// Sends the text when its number has a slot.
    async fn run(self, ctx: JobContext<App>) -> JobResult {
        let key = delivery::effect_key(&self.message_event_id, self.given_back);
        let by = Actor::system(ctx.job.id.as_str());
        let sending = Sending { id: &self.message_event_id, given_back: self.given_back, key, by, ctx: &ctx };
        match perform(&ctx, &sending).await? {
            Performed::Ended(ended) => ended,
            Performed::Settled(record) => sending.unclear(Some(&record)).await,
            Performed::Unclear(record) => sending.unclear(record.as_ref()).await,
        }
    }
}

struct Sending<'a> {
    id: &'a MessageId,
    /// How often the carrier had given the text back.
    given_back: i64,
    /// The key of the effect.
    key: String,
    by: Actor,
    ctx: &'a JobContext<App>,
}

/// A text to send and its sender.
struct Leaving<'a> {
    envelope: Box<Envelope>,
    intent: Intent,
    sender: &'a dyn Carrier,
}

impl<'a> Performable for Sending<'a> {
    const KIND: &'static str = EFFECT;
    type Request = Leaving<'a>;
    type Error = SendError;

    fn key(&self) -> &str {
        &self.key
    }

    /// Decides whether the text may be sent: its number is in service and has a slot, and the recipient has not opted
    /// out.
    async fn begin(&self, tx: &mut Tx, now: Timestamp) -> Result<Decision<Leaving<'a>>, JobError> {
        let over = |outcome: Outcome| Ok(Decision::Over(Ok(outcome)));
        let mut text = delivery::lock(tx, self.id).await.or_job_error()?;
        if text.given_back != self.given_back {
            return over(Outcome::skip(GIVEN_BACK));
        }
        if text.status == MessageStatus::Queued {
            if let Some(held) = delivery::held(tx, &text, now).await.or_job_error()? {
                return over(Outcome::poll(held.until.since(now)));
            }
            let Some(number) = delivery::number_in_service(tx, &text, now).await.or_job_error()? else {
                return over(self.wait_for_number(tx, &text, now).await?);
            };
            text.from_number_id = Some(number);
        }
        let carrier = self.carrier_of(tx, &text).await?;
        let sender = self.ctx.app.carriers().sender(carrier);
        if text.status == MessageStatus::Queued {
            match sender {
                Err(why) => return Ok(Decision::Over(Err(self.no_carrier(tx, why, now).await?))),
                Ok(sender) if sender.is_live() => {
                    if let Some(at) = self.not_before(tx, &text, carrier, now).await? {
                        return over(Outcome::poll(at.since(now)));
                    }
                }
                Ok(_) => {}
            }
        }
        match delivery::begin_send(tx, self.id, &self.by, now).await.or_job_error()? {
            delivery::SendDecision::Send(envelope) => {
                let sender = sender.map_err(JobError::fail)?;
                let by_automation = text.automation_run_id.is_some();
                let intent = if by_automation { Intent::Notification } else { Intent::Conversation };
                Ok(Decision::Ask { request: Leaving { envelope, intent, sender }, mode: mode(sender) })
            }
            delivery::SendDecision::Unclear { .. } => Ok(Decision::Unclear),
            delivery::SendDecision::NoNumber => over(self.wait_for_number(tx, &text, now).await?),
            delivery::SendDecision::Settled(status) => over(self.settled(tx, &text, status, now).await?),
            delivery::SendDecision::Blocked(reason) => {
                over(Outcome::skip(format!("the text may not be sent: {reason}")))
            }
        }
    }

    async fn ask(&self, permit: Permit<Leaving<'a>>) -> Result<Answer<SendError>, Expired> {
        let Leaving { envelope, intent, sender } = permit.into_request()?;
        let message = SendMessage {
            from: envelope.from.e164(),
            to: envelope.to.e164(),
            body: envelope.body.clone(),
            status_callback: Some(self.ctx.app.status_callback()),
            intent,
        };
        let answer = sender.send(self.id.as_str(), &message).await;
        provider_calls::count(sender.name(), "send", answer.as_ref().map_or_else(SendError::class, |_| "ok"));
        Ok(match answer {
            Ok(sent) => {
                tracing::info!(message.id = %self.id, message.sid = %sent.sid, "a text was sent");
                Answer::Taken(sent.sid)
            }
            Err(error @ (SendError::NotSent { .. } | SendError::RateLimited { .. })) => Answer::NotSent(error),
            // It may be sent at another hour.
            Err(error @ SendError::Refused { refusal: Refusal::Hours, .. }) => Answer::NotSent(error),
            Err(error @ SendError::Refused { .. }) => Answer::Refused(error),
            Err(error @ SendError::Unclear { .. }) => Answer::Unclear(error.to_string()),
        })
    }

    async fn settle(&self, tx: &mut Tx, answer: &Answer<SendError>, now: Timestamp) -> Result<JobResult, JobError> {
        if delivery::lock(tx, self.id).await.or_job_error()?.given_back != self.given_back {
            return Ok(Ok(Outcome::skip(GIVEN_BACK)));
        }
        match answer {
            Answer::Taken(sid) => {
                delivery::record_sent(tx, self.id, sid, &self.by, now).await.or_job_error()?;
                let sent = Outcome::done_with(json!({"sid": sid}));
                Ok(Ok(if is_mock(sid) { Outcome::poll(MOCK_DELIVERED_AFTER) } else { sent }))
            }
            Answer::NotSent(error) => {
                delivery::back_to_queue(tx, self.id, now).await.or_job_error()?;
                if error.refusal() == Some(Refusal::Hours) {
                    return self.wait_for_hours(tx, error, now).await;
                }
                let retry = JobError::retry(error);
                Ok(Err(error.retry_after().map_or(retry.clone(), |wait| retry.after(wait))))
            }
            Answer::Refused(error) => {
                let code = error.code().unwrap_or("refused").to_owned();
                let because = because(error.refusal());
                delivery::record_refused(tx, self.id, &code, because, &self.by, now).await.or_job_error()?;
                Ok(if because == Because::OptedOut {
                    Ok(Outcome::skip("the recipient has opted out"))
                } else {
                    Err(JobError::fail(error))
                })
            }
            Answer::Unclear(_) => {
                if delivery::mark_unconfirmed(tx, self.id, now).await.or_job_error()? {
                    sms::ask_after(&Enqueuer::of(self.ctx), tx, self.id).await?;
                } else if delivery::load(tx, self.id).await.or_job_error()?.status == MessageStatus::Queued {
                    // The earlier attempt was slow, not dead, and has found out in the meantime that nothing was sent.
                    return Ok(Ok(Outcome::poll(SEND_AGAIN_AFTER)));
                }
                Ok(Ok(Outcome::done_with(json!({"verdict": "unconfirmed"}))))
            }
        }
    }
}

/// Whether the text with this SID was simulated.
fn is_mock(sid: &str) -> bool {
    sid.starts_with("SMmock-")
}

impl<'a> Sending<'a> {
    /// Marks a text as unconfirmed that an earlier attempt may have sent, so that its outcome is found out.
    async fn unclear(&self, record: Option<&Effect>) -> JobResult {
        let unclear = Answer::Unclear("an earlier attempt ended without an answer".to_owned());
        settle(self.ctx, self, record, &unclear).await?
    }

    /// Keeps the text waiting until the carrier may let it through. Gives it up after a few times.
    async fn wait_for_hours(&self, tx: &mut Tx, error: &SendError, now: Timestamp) -> Result<JobResult, JobError> {
        if delivery::load(tx, self.id).await.or_job_error()?.status != MessageStatus::Queued {
            return Ok(Ok(Outcome::skip("the text was taken back")));
        }
        if let Some(held) = delivery::hold_for_carrier(tx, self.id, &self.by, now).await.or_job_error()? {
            return Ok(Ok(Outcome::poll(held.until.since(now))));
        }
        let code = error.code().unwrap_or("refused");
        delivery::record_refused(tx, self.id, code, Because::Other, &self.by, now).await.or_job_error()?;
        Ok(Err(JobError::fail(error)))
    }

    /// Keeps the text waiting while a job looks for the thread's number. This job is woken when the thread has one.
    async fn wait_for_number(&self, tx: &mut Tx, text: &Outbound, now: Timestamp) -> Result<Outcome, JobError> {
        masking::report_missing(tx, &text.thread_id, now).await.or_job_error()?;
        thread::find_number(&Enqueuer::of(self.ctx), tx, &text.thread_id).await?;
        self.ctx.note("its conversation has no number in service");
        if now >= self.ctx.job.created_at + NUMBER_AWAITED {
            return Err(JobError::fail("its conversation has had no number in service for a day"));
        }
        Ok(Outcome::poll(thread::look_again(self.ctx.job.polls)))
    }

    async fn carrier_of(&self, tx: &mut Tx, text: &Outbound) -> Result<SmsCarrier, JobError> {
        let number = match &text.from_number_id {
            Some(id) => numbers::load(tx, id).await.or_job_error()?,
            None => None,
        };
        Ok(number.map_or(SmsCarrier::Mock, |number| number.provider))
    }

    /// Returns the later time at which the text may be sent, or `None` if that is now. Its number sends one text at a time,
    /// and its carrier accepts only so many of all numbers together.
    async fn not_before(
        &self,
        tx: &mut Tx,
        text: &Outbound,
        carrier: SmsCarrier,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, JobError> {
        if let Some(number) = &text.from_number_id {
            let slot = delivery::take_send_slot(tx, number, self.id, now).await.or_job_error()?;
            if slot > now {
                return Ok(Some(slot));
            }
        }
        Ok(self.ctx.app.carriers().take_turn(carrier, now).err())
    }

    /// Fails a text that no carrier can send, which raises an exception.
    async fn no_carrier(&self, tx: &mut Tx, why: NoCarrier, now: Timestamp) -> Result<JobError, JobError> {
        delivery::record_refused(tx, self.id, why.code(), Because::Other, &self.by, now).await.or_job_error()?;
        Ok(JobError::fail(why))
    }

    /// Ends the job of a text that was sent. A simulated text becomes delivered.
    async fn settled(
        &self,
        tx: &mut Tx,
        text: &Outbound,
        status: MessageStatus,
        now: Timestamp,
    ) -> Result<Outcome, JobError> {
        let mocked = text.provider_message_sid.as_deref().filter(|sid| is_mock(sid));
        if let (MessageStatus::Sent, Some(sid)) = (status, mocked) {
            delivery::apply_report(tx, sid, MessageStatus::Delivered, None, &self.by, now).await.or_job_error()?;
            return Ok(Outcome::done_with(json!({"sid": sid})));
        }
        Ok(Outcome::skip(format!("the text is {status}")))
    }
}

impl Hooks for SmsSend {
    /// Marks the text as failed, or as unconfirmed with an exception if it may have been sent: retrying the job finds
    /// out.
    async fn on_dead(job: &Self, tx: &mut Tx, dead: &DeadJob) -> Result<(), JobError> {
        let id = &job.message_event_id;
        if delivery::lock(tx, id).await.or_job_error()?.given_back != job.given_back {
            return Ok(());
        }
        if delivery::mark_unconfirmed(tx, id, dead.at).await.or_job_error()? {
            return delivery::raise_unconfirmed(tx, id, dead.at).await.or_job_error();
        }
        let by = Actor::system(dead.info.id.as_str());
        let code = if dead.class == ErrorClass::Cancelled { "cancelled" } else { "given_up" };
        delivery::record_refused(tx, id, code, Because::Other, &by, dead.at).await.or_job_error()
    }

    async fn on_retry(job: &Self, tx: &mut Tx, retried: &RetriedJob) -> Result<Revival, JobError> {
        if delivery::load(tx, &job.message_event_id).await.or_job_error()?.given_back != job.given_back {
            return Ok(Revival::Pointless(GIVEN_BACK.to_owned()));
        }
        revive(tx, &job.message_event_id, retried).await
    }
}
