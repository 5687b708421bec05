//! Tries again to find a masking number for a conversation that got none, every ten minutes for a day.
//!
//! When a number comes into service the next try is made at once.

use std::time::Duration;

use nightshift_domain::actor::Actor;
use nightshift_domain::confirmation;
use nightshift_domain::ids::ThreadId;
use nightshift_domain::messaging::masking::NumberGiven;
use nightshift_queue::{Handler, Job, JobContext, JobError, JobResult, Keys, NoHooks, Outcome, Policy, Subject};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::decide::OrDecide;
use crate::enqueuer::Enqueuer;
use crate::{App, subject, thread};

const EVERY: Duration = Duration::from_secs(600);

/// A conversation without a number.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ThreadAssignNumber {
    /// The conversation.
    pub thread_id: ThreadId,
}

impl ThreadAssignNumber {
    /// Names the one job that looks for a conversation's number.
    pub(crate) fn key(thread: &ThreadId) -> String {
        format!("assign:{thread}")
    }

    /// Names the one that follows a job that runs already.
    pub(crate) fn next_key(thread: &ThreadId) -> String {
        format!("{}:next", Self::key(thread))
    }
}

impl Job for ThreadAssignNumber {
    const KIND: &'static str = "thread.assign_number";
    const QUEUE: &'static str = "bookings";

    fn keys(&self) -> Keys {
        Keys::dedup(Self::key(&self.thread_id))
    }

    fn subject(&self) -> Option<Subject> {
        subject::conversation(&self.thread_id)
    }

    fn policy() -> Policy {
        Policy::every(EVERY, 144).timeout(Duration::from_secs(15))
    }
}

impl Handler<App> for ThreadAssignNumber {
    type Hooks = NoHooks;

    /// Looks for a number, and sets free what waited for it.
    async fn run(self, ctx: JobContext<App>) -> JobResult {
        let (by, now) = (Actor::system(ctx.job.id.as_str()), ctx.now());
        let mut tx = ctx.begin().await?;
        let step = confirmation::assign_number(&mut tx, &self.thread_id, &by, now).await.or_decide()?;
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
