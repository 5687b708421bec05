//! Sends a reply as a text of its own if the answer to the webhook has not carried it. If the job dies or is cancelled, the
//! reply fails; an exception says so, and a retry sends it.

mod payload;

use nightshift_db::Tx;
use nightshift_domain::actor::Actor;
use nightshift_domain::messaging::delivery;
use nightshift_queue::{
    DeadJob, ErrorClass, Handler, Hooks, JobContext, JobError, JobResult, Outcome, RetriedJob, Revival,
};

use super::effect::revive;
use crate::enqueuer::Enqueuer;
use crate::job_error::OrJobError;
use crate::{App, sms};

pub use payload::SmsReplyFallback;

impl Handler<App> for SmsReplyFallback {
    type Hooks = Self;

    async fn run(self, ctx: JobContext<App>) -> JobResult {
        let mut tx = ctx.begin().await?;
        let taken = delivery::send_reply(&mut tx, &self.inbox_id, ctx.now()).await.or_job_error()?;
        let Some(text) = taken else { return Ok(Outcome::skip("the answer to the webhook carries the reply")) };
        sms::send_reply(&Enqueuer::of(&ctx), &mut tx, &text.id, &text.thread_id).await?;
        tx.commit().await?;
        Ok(Outcome::done())
    }
}

impl Hooks for SmsReplyFallback {
    /// Fails the reply, unless the answer to the webhook carries it.
    async fn on_dead(job: &Self, tx: &mut Tx, dead: &DeadJob) -> Result<(), JobError> {
        let by = Actor::system(dead.info.id.as_str());
        let code = if dead.class == ErrorClass::Cancelled { "cancelled" } else { "given_up" };
        delivery::give_up_reply(tx, &job.inbox_id, code, &by, dead.at).await.or_job_error()
    }

    /// Moves the reply back into the queue, so that it is sent.
    async fn on_retry(job: &Self, tx: &mut Tx, retried: &RetriedJob) -> Result<Revival, JobError> {
        let Some(text) = delivery::reply_to(tx, &job.inbox_id).await.or_job_error()? else {
            return Ok(Revival::Pointless("there is no reply".to_owned()));
        };
        let revival = revive(tx, &text, retried).await?;
        if matches!(revival, Revival::Ready) {
            delivery::reopen_reply(tx, &job.inbox_id, retried.at).await.or_job_error()?;
        }
        Ok(revival)
    }
}
