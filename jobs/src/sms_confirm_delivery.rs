//! Finds out what became of a text whose sending ended without an answer, before it is sent again.
//!
//! The provider's list of messages is looked through for the same sender, recipient and body since the attempt began.
//! What is found there and belongs to no other text of ours is this one. Only when the provider answers that it knows
//! of none is the text sent again, and that once.

use std::time::Duration;

use nightshift_db::Tx;
use nightshift_domain::actor::Actor;
use nightshift_domain::ids::MessageId;
use nightshift_domain::messaging::delivery::{self, Envelope};
use nightshift_domain::messaging::message::MessageStatus;
use nightshift_providers::sms::SmsSender;
use nightshift_providers::twilio::{Lookup, SentMessage};
use nightshift_queue::{
    DeadJob, Following, Job, JobContext, JobError, JobResult, Keys, Outcome, Policy, RetriedJob, Revival, effects,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::App;
use crate::dead::text;
use crate::decide::OrDecide;
use crate::follow::Follow;
use crate::sms_send::{EFFECT, count, revive};

/// A provider is asked so long after the attempt: what it took is in its list by then.
pub(crate) const ASK_AFTER: Duration = Duration::from_secs(120);

/// A text of which it is not known whether it left.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SmsConfirmDelivery {
    /// The text.
    pub message_event_id: MessageId,
}

impl Job for SmsConfirmDelivery {
    const KIND: &'static str = "sms.confirm_delivery";
    const QUEUE: &'static str = "sms";

    fn keys(&self) -> Keys {
        Keys::dedup(format!("smsconf:{}", self.message_event_id))
    }

    fn policy() -> Policy {
        Policy::fast(5).timeout(Duration::from_secs(20))
    }
}

/// Asks the provider and settles the text.
///
/// # Errors
/// A retry when the provider can't be asked.
pub async fn run(job: SmsConfirmDelivery, ctx: JobContext<App>) -> JobResult {
    let id = &job.message_event_id;
    let mut tx = ctx.begin().await?;
    let unclear = delivery::unclear(&mut tx, id, ctx.now()).await.or_decide()?;
    tx.rollback().await?;
    let Some(envelope) = unclear else {
        return Ok(Outcome::skip("it is known by now what became of the text"));
    };
    let sender = ctx.app.sender(envelope.provider).map_err(JobError::fail)?;
    let candidates = ask(sender, &envelope).await?;

    let (by, now) = (Actor::system(ctx.job.id.as_str()), ctx.now());
    let mut tx = ctx.begin().await?;
    let effect = effects::find(&mut tx, EFFECT, id.as_str()).await?;
    let effect = effect.as_ref().map_or("", |effect| effect.id.as_str());
    let verdict = if let Some(found) = unclaimed(&mut tx, candidates).await? {
        delivery::adopt_sid(&mut tx, id, &found.sid, &by, now).await.or_decide()?;
        effects::confirm(&mut tx, effect, &found.sid, now).await?;
        "found at the provider"
    } else if let Some(resend) = delivery::resend_once(&mut tx, id, now).await.or_decide()? {
        effects::not_sent(&mut tx, effect, "the provider knows of no such text", now).await?;
        Follow::of_job(&ctx).text(&mut tx, id, &envelope.thread_id, resend).await?;
        "sent again"
    } else {
        delivery::record_refused(&mut tx, id, "unconfirmed", false, &by, now).await.or_decide()?;
        effects::refuse(&mut tx, effect, "twice the provider did not know of the text", now).await?;
        "given up"
    };
    tx.commit().await?;
    tracing::info!(message.id = %id, verdict, "an unclear text was asked after");
    Ok(Outcome::done_with(json!({"verdict": verdict})))
}

async fn ask(sender: &SmsSender, envelope: &Envelope) -> Result<Vec<SentMessage>, JobError> {
    let lookup = Lookup {
        from: envelope.from.e164(),
        to: envelope.to.e164(),
        body: envelope.body.clone(),
        since: envelope.send_started_at.to_datetime(),
    };
    let answer = sender.candidates(envelope.message_id.as_str(), &lookup).await;
    count(sender, "lookup", if answer.is_ok() { "ok" } else { "failed" });
    answer.map_err(|error| {
        if error.is_permanent() {
            return JobError::fail(&error);
        }
        let retry = JobError::retry(&error);
        error.retry_after().map_or(retry.clone(), |wait| retry.after(wait))
    })
}

/// The oldest that belongs to no text of ours yet: the same words may have been sent to the same client before.
async fn unclaimed(tx: &mut Tx, candidates: Vec<SentMessage>) -> Result<Option<SentMessage>, JobError> {
    for candidate in candidates {
        if delivery::find_by_sid(tx, &candidate.sid).await.or_decide()?.is_none() {
            return Ok(Some(candidate));
        }
    }
    Ok(None)
}

/// Nobody could be asked: the text counts as not delivered, and people see it.
pub(crate) fn dead<'a>(tx: &'a mut Tx, dead: &'a DeadJob) -> Following<'a, ()> {
    Box::pin(async move {
        let Some(id) = text(&dead.payload, "messageEventId") else { return Ok(()) };
        let by = Actor::system(dead.info.id.as_str());
        delivery::record_refused(tx, &MessageId::from(id), "unconfirmed", false, &by, dead.at).await.or_decide()
    })
}

/// Somebody is to be asked after all: the text is of unknown fate again.
pub(crate) fn retried<'a>(tx: &'a mut Tx, retried: &'a RetriedJob) -> Following<'a, Revival> {
    Box::pin(async move {
        let revival = revive(tx, retried).await?;
        let Some(id) = text(&retried.payload, "messageEventId").map(MessageId::from) else { return Ok(revival) };
        let unclear = delivery::load(tx, &id).await.or_decide()?.status == MessageStatus::Unconfirmed;
        Ok(match revival {
            Revival::Ready if !unclear => Revival::Pointless("it is known that the text did not leave".to_owned()),
            revival => revival,
        })
    })
}
