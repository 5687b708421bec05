//! Sends one text, once.
//!
//! That a text is about to leave is committed before the provider is asked, as `sending` and in the ledger of effects.
//! An attempt that finds that record may find a text that has left already, so it asks nobody anything: it hands the
//! text to [`sms.confirm_delivery`](super::confirm_delivery), which finds out.

mod payload;

use std::time::Duration;

use nightshift_db::{Timestamp, Tx, failpoint};
use nightshift_domain::actor::Actor;
use nightshift_domain::ids::MessageId;
use nightshift_domain::messaging::delivery::{self, Envelope, Outbound, Turn};
use nightshift_domain::messaging::message::MessageStatus;
use nightshift_domain::messaging::{masking, numbers};
use nightshift_providers::sms::SmsSender;
use nightshift_providers::twilio::{SendError, SendMessage, SentMessage};
use nightshift_queue::{
    DeadJob, ErrorClass, Handler, Hooks, JobContext, JobError, JobResult, Outcome, RetriedJob, Revival, effects,
};
use serde_json::json;

use super::effect::{EFFECT, revive};
use crate::decide::OrDecide;
use crate::enqueuer::Enqueuer;
use crate::{App, provider_calls, sms, thread};

pub use payload::SmsSend;

/// A text that goes nowhere is delivered so soon.
const MOCK_DELIVERED_AFTER: Duration = Duration::from_secs(1);
/// A text that has waited so long for its conversation's number is given up: what it says may have passed. A person may
/// retry it.
const NUMBER_AWAITED: Duration = Duration::from_secs(24 * 3600);

impl Handler<App> for SmsSend {
    type Hooks = Self;

    /// Sends the text when its number's turn has come.
    async fn run(self, ctx: JobContext<App>) -> JobResult {
        let sending = Sending { id: &self.message_event_id, by: Actor::system(ctx.job.id.as_str()), ctx: &ctx };
        let (envelope, sender) = match sending.begin().await? {
            Begun::Send(envelope, sender) => (envelope, sender),
            Begun::Ended(outcome) => return Ok(outcome),
        };
        failpoint::hit("sms.send.after_ask").await?;
        let message = SendMessage {
            from: envelope.from.e164(),
            to: envelope.to.e164(),
            body: envelope.body.clone(),
            status_callback: Some(ctx.app.status_callback()),
        };
        let answer = sender.send(self.message_event_id.as_str(), &message).await;
        failpoint::hit("sms.send.after_answer").await?;
        provider_calls::count(sender.provider(), "send", answer.as_ref().map_or_else(SendError::class, |_| "ok"));
        match answer {
            Ok(sent) => sending.sent(&sent, sender).await,
            Err(error) => sending.not_taken(error).await,
        }
    }
}

/// What came of a text's turn.
enum Begun<'a> {
    Send(Box<Envelope>, &'a SmsSender),
    Ended(Outcome),
}

struct Sending<'a> {
    id: &'a MessageId,
    by: Actor,
    ctx: &'a JobContext<App>,
}

impl<'a> Sending<'a> {
    /// Commits the intent, if the text may leave now.
    async fn begin(&self) -> Result<Begun<'a>, JobError> {
        let now = self.ctx.now();
        let mut tx = self.ctx.begin().await?;
        let mut text = delivery::load(&mut tx, self.id).await.or_decide()?;
        if text.status == MessageStatus::Queued {
            let Some(number) = delivery::number_in_service(&mut tx, &text, now).await.or_decide()? else {
                let wait = self.wait_for_number(&mut tx, &text, now).await?;
                tx.commit().await?;
                return Ok(Begun::Ended(wait));
            };
            text.from_number_id = Some(number);
        }
        let sender = self.sender_of(&mut tx, &text).await?;
        if text.status == MessageStatus::Queued
            && let (Some(number), SmsSender::Twilio(_)) = (&text.from_number_id, sender)
        {
            let slot = delivery::take_send_slot(&mut tx, number, self.id, now).await.or_decide()?;
            if slot > now {
                tx.commit().await?;
                return Ok(Begun::Ended(Outcome::poll(slot.since(now))));
            }
        }
        let begun = match delivery::begin_send(&mut tx, self.id, &self.by, now).await.or_decide()? {
            Turn::Send(envelope) if self.ask(&mut tx, sender, now).await? => Begun::Send(envelope, sender),
            Turn::Send(_) | Turn::Unclear { .. } => {
                self.find_out(&mut tx, "an earlier attempt ended without an answer", now).await?;
                Begun::Ended(Outcome::done_with(json!({"verdict": "unconfirmed"})))
            }
            Turn::NoNumber => Begun::Ended(self.wait_for_number(&mut tx, &text, now).await?),
            Turn::Settled(status) => Begun::Ended(self.settled(&mut tx, &text, status, now).await?),
            Turn::Blocked(reason) => Begun::Ended(Outcome::skip(format!("the text may not be sent: {reason}"))),
        };
        tx.commit().await?;
        Ok(begun)
    }

    /// The text stays as it is: its conversation is looked after, and this job wakes up when that has a number again.
    async fn wait_for_number(&self, tx: &mut Tx, text: &Outbound, now: Timestamp) -> Result<Outcome, JobError> {
        masking::report_missing(tx, &text.thread_id, now).await.or_decide()?;
        thread::find_number(&Enqueuer::of(self.ctx), tx, &text.thread_id).await?;
        self.ctx.note("its conversation has no number in service");
        if now >= self.ctx.job.created_at + NUMBER_AWAITED {
            return Err(JobError::fail("its conversation has had no number in service for a day"));
        }
        Ok(Outcome::poll(thread::look_again(self.ctx.job.polls)))
    }

    async fn sender_of(&self, tx: &mut Tx, text: &Outbound) -> Result<&'a SmsSender, JobError> {
        let number = match &text.from_number_id {
            Some(id) => numbers::load(tx, id).await.or_decide()?,
            None => None,
        };
        let provider = number.map_or(numbers::Provider::Mock, |number| number.provider);
        self.ctx.app.sender(provider).map_err(JobError::fail)
    }

    /// Whether this attempt is the one that may ask the provider.
    async fn ask(&self, tx: &mut Tx, sender: &SmsSender, now: Timestamp) -> Result<bool, JobError> {
        let (key, mode) = (self.id.as_str(), App::mode(sender));
        let effect = effects::reserve(tx, EFFECT, key, Some(&self.ctx.job.id), mode, now).await?;
        Ok(effects::ask(tx, &effect.id, now).await?)
    }

    /// A text that has left needs nothing more. One that went to nobody has by now been delivered.
    async fn settled(
        &self,
        tx: &mut Tx,
        text: &Outbound,
        status: MessageStatus,
        now: Timestamp,
    ) -> Result<Outcome, JobError> {
        let mocked = text.provider_message_sid.as_deref().filter(|sid| sid.starts_with("SMmock-"));
        if let (MessageStatus::Sent, Some(sid)) = (status, mocked) {
            delivery::apply_report(tx, sid, MessageStatus::Delivered, None, &self.by, now).await.or_decide()?;
            return Ok(Outcome::done_with(json!({"sid": sid})));
        }
        Ok(Outcome::skip(format!("the text is {status}")))
    }

    async fn sent(&self, sent: &SentMessage, sender: &SmsSender) -> JobResult {
        let now = self.ctx.now();
        let mut tx = self.ctx.begin().await?;
        delivery::record_sent(&mut tx, self.id, &sent.sid, &self.by, now).await.or_decide()?;
        if let Some(effect) = effects::find(&mut tx, EFFECT, self.id.as_str()).await? {
            effects::confirm(&mut tx, &effect.id, &sent.sid, now).await?;
        }
        tx.commit().await?;
        tracing::info!(message.id = %self.id, message.sid = %sent.sid, "a text was sent");
        Ok(match sender {
            SmsSender::Mock => Outcome::poll(MOCK_DELIVERED_AFTER),
            SmsSender::Twilio(_) => Outcome::done_with(json!({"sid": sent.sid})),
        })
    }

    async fn not_taken(&self, error: SendError) -> JobResult {
        let now = self.ctx.now();
        let mut tx = self.ctx.begin().await?;
        let effect = effects::find(&mut tx, EFFECT, self.id.as_str()).await?;
        let effect = effect.as_ref().map_or("", |effect| effect.id.as_str());
        let ended = match &error {
            SendError::NotSent { .. } | SendError::RateLimited { .. } => {
                delivery::back_to_queue(&mut tx, self.id, now).await.or_decide()?;
                effects::not_sent(&mut tx, effect, &error.to_string(), now).await?;
                let retry = JobError::retry(&error);
                Err(error.retry_after().map_or(retry.clone(), |wait| retry.after(wait)))
            }
            SendError::Refused { .. } => {
                let code = error.code().map_or_else(|| "refused".to_owned(), |code| code.to_string());
                let opted_out = error.opted_out();
                delivery::record_refused(&mut tx, self.id, &code, opted_out, &self.by, now).await.or_decide()?;
                effects::refuse(&mut tx, effect, &error.to_string(), now).await?;
                if opted_out { Ok(Outcome::skip("the recipient has opted out")) } else { Err(JobError::fail(&error)) }
            }
            SendError::Ambiguous { .. } => {
                self.find_out(&mut tx, &error.to_string(), now).await?;
                Ok(Outcome::done_with(json!({"verdict": "unconfirmed"})))
            }
        };
        tx.commit().await?;
        ended
    }

    /// It is not known whether the text left: somebody must ask before it is sent again.
    async fn find_out(&self, tx: &mut Tx, why: &str, now: Timestamp) -> Result<(), JobError> {
        if let Some(effect) = effects::find(tx, EFFECT, self.id.as_str()).await? {
            effects::doubt(tx, &effect.id, why, now).await?;
        }
        if delivery::mark_unconfirmed(tx, self.id, now).await.or_decide()? {
            sms::ask_after(&Enqueuer::of(self.ctx), tx, self.id).await?;
        }
        Ok(())
    }
}

impl Hooks for SmsSend {
    /// A text whose job ended without success will not leave. Of one that may have left it is said that nobody knows:
    /// retrying the job finds out.
    async fn on_dead(job: &Self, tx: &mut Tx, dead: &DeadJob) -> Result<(), JobError> {
        let id = &job.message_event_id;
        if delivery::mark_unconfirmed(tx, id, dead.at).await.or_decide()? {
            return delivery::tell_unconfirmed(tx, id, dead.at).await.or_decide();
        }
        let by = Actor::system(dead.info.id.as_str());
        let code = if dead.class == ErrorClass::Cancelled { "cancelled" } else { "given_up" };
        delivery::record_refused(tx, id, code, false, &by, dead.at).await.or_decide()
    }

    async fn on_retry(job: &Self, tx: &mut Tx, retried: &RetriedJob) -> Result<Revival, JobError> {
        revive(tx, &job.message_event_id, retried).await
    }
}
