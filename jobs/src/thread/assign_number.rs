//! Looks for a masking number for a thread without one, every ten minutes for a day.
//!
//! When a number comes into service, the next attempt is made at once.

mod payload;

use nightshift_domain::actor::Actor;
use nightshift_domain::confirmation;
use nightshift_domain::messaging::masking::NumberGiven;
use nightshift_queue::{Handler, JobContext, JobError, JobResult, NoHooks, Outcome};
use serde_json::json;

use crate::enqueuer::Enqueuer;
use crate::job_error::OrJobError;
use crate::{App, thread};

pub use payload::ThreadAssignNumber;

impl Handler<App> for ThreadAssignNumber {
    type Hooks = NoHooks;

    /// Looks for a number, and releases what waited for it.
    async fn run(self, ctx: JobContext<App>) -> JobResult {
        let (by, now) = (Actor::system(ctx.job.id.as_str()), ctx.now());
        let mut tx = ctx.begin().await?;
        let step = confirmation::assign_number(&mut tx, &self.thread_id, &by, now).await.or_job_error()?;
        let Some(step) = step.into_option() else {
            tx.commit().await?;
            return Ok(Outcome::skip("the conversation needs no number any more"));
        };
        if step.given != NumberGiven::Missing {
            thread::resume(&Enqueuer::of(&ctx), &mut tx, &step).await?;
        }
        tx.commit().await?;
        match step.given {
            NumberGiven::Missing => Err(JobError::retry("no active number fits; add one to the organisation")),
            NumberGiven::Kept(number) | NumberGiven::Assigned(number) => {
                Ok(Outcome::done_with(json!({"messageNumberId": number.number_id})))
            }
        }
    }
}
