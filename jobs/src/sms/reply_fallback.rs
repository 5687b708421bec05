//! Sends a reply as a text of its own if the answer to the webhook has not carried it. If the job dies, the reply was not
//! sent; an exception says so, and a retry sends it.

mod payload;

use nightshift_domain::messaging::delivery;
use nightshift_queue::{Handler, JobContext, JobResult, NoHooks, Outcome};

use crate::enqueuer::Enqueuer;
use crate::job_error::OrJobError;
use crate::{App, sms};

pub use payload::SmsReplyFallback;

impl Handler<App> for SmsReplyFallback {
    type Hooks = NoHooks;

    async fn run(self, ctx: JobContext<App>) -> JobResult {
        let mut tx = ctx.begin().await?;
        let taken = delivery::send_reply(&mut tx, &self.inbox_id, ctx.now()).await.or_job_error()?;
        let Some(text) = taken else { return Ok(Outcome::skip("the answer to the webhook carries the reply")) };
        sms::send_reply(&Enqueuer::of(&ctx), &mut tx, &text.id, &text.thread_id).await?;
        tx.commit().await?;
        Ok(Outcome::done())
    }
}
